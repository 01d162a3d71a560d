"""Ids that every process derives alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorflow.telemetry.identity import SpanIds, TraceContext, read_traceparent, trace_id_of

GOOD = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

trace_ids = st.integers(1, 2**128 - 1)
span_ids = st.integers(1, 2**64 - 1)


@given(trace_ids, span_ids, st.booleans())
def test_a_traceparent_reads_as_what_it_was_written_from(trace_id: int, span_id: int, sampled: bool) -> None:
    context = TraceContext(trace_id, span_id, sampled)

    assert read_traceparent(context.traceparent) == context


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        GOOD.upper(),
        GOOD.replace("00-", "ff-", 1),
        GOOD + "-more",
        "00-" + "0" * 32 + "-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01",
        GOOD[:-1],
    ],
)
def test_what_is_no_traceparent_is_ignored(text: str) -> None:
    assert read_traceparent(text) is None


def test_a_later_version_with_more_fields_is_read_as_far_as_known() -> None:
    assert read_traceparent(GOOD.replace("00-", "01-", 1) + "-more") == read_traceparent(GOOD)


def test_bits_of_the_flags_other_than_sampled_say_nothing() -> None:
    context = read_traceparent(GOOD[:-2] + "02")

    assert context is not None
    assert not context.sampled


def test_every_process_derives_the_same_ids_for_ever() -> None:
    ids = SpanIds("20261121-14-abcd")

    assert f"{trace_id_of('20261121-14-abcd'):032x}" == "f1c5ca79f19e228b94c70055622eb865"
    assert f"{ids.attempt('clean', 7, 2):016x}" == "f299f4cc8bb263f6"


def test_no_two_spans_of_a_run_share_an_id() -> None:
    ids = SpanIds("r")
    steps = ["a", "b", "a\x001"]
    instances = [None, *range(50)]

    found = [ids.run()]
    found += [ids.task(step, index) for step in steps for index in instances]
    found += [ids.attempt(step, index, number) for step in steps for index in instances for number in (1, 2, 3)]

    assert len(set(found)) == len(found)
