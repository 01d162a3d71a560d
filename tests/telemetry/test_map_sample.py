"""Which instances of a wide map are shown."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actorflow.telemetry.map_sample import MapLimits, MapSample
from actorflow.telemetry.spans import SpanRecord

LIMITS = MapLimits(max_width=3, slowest=2, max_failed=2, max_retried=1)


def span(number: int) -> SpanRecord:
    return SpanRecord(name="s", span_id=number, parent_id=None, started_s=0, ended_s=1, attributes={})


def test_a_map_is_wide_above_the_limit_only() -> None:
    assert [LIMITS.is_wide(width) for width in (None, 0, 3, 4)] == [False, False, False, True]


def test_a_failed_instance_is_shown_at_once() -> None:
    assert MapSample(LIMITS).offer([span(1)], 0.1, failed=True, retried=False) == [span(1)]


def test_a_retried_instance_is_shown_at_once() -> None:
    assert MapSample(LIMITS).offer([span(1)], 0.1, failed=False, retried=True) == [span(1)]


def test_of_the_others_the_slowest_are_shown_at_the_end() -> None:
    sample = MapSample(LIMITS)

    at_once = [sample.offer([span(n)], seconds, failed=False, retried=False) for n, seconds in enumerate((3, 1, 2))]

    assert at_once == [[], [], []]
    assert sample.rest() == [span(0), span(2)]
    assert sample.omitted == 1


def test_failures_beyond_the_limit_compete_with_the_slow() -> None:
    sample = MapSample(LIMITS)

    for number in range(4):
        sample.offer([span(number)], number, failed=True, retried=False)

    assert sample.rest() == [span(2), span(3)]


@given(st.lists(st.tuples(st.floats(0, 9), st.booleans(), st.booleans())))
def test_every_instance_is_shown_or_counted(ends: list[tuple[float, bool, bool]]) -> None:
    sample = MapSample(LIMITS)

    shown = [
        one
        for number, (seconds, failed, retried) in enumerate(ends)
        for one in sample.offer([span(number)], seconds, failed=failed, retried=retried)
    ]
    shown += sample.rest()

    assert len(shown) + sample.omitted == len(ends)
    assert len({one.span_id for one in shown}) == len(shown)
    assert len(shown) <= LIMITS.slowest + LIMITS.max_failed + LIMITS.max_retried
