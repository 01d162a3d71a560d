"""How a run's trace hangs together with that of who started it."""

from __future__ import annotations

import pytest

from actorflow.telemetry.identity import SpanIds, TraceContext, trace_id_of
from actorflow.telemetry.joining import Began, Joined, Relation, join, read_joined, recorded

STARTER = TraceContext(7, 8, True, "vendor=1")


def test_an_awaited_run_goes_on_with_the_trace_of_who_awaits_it() -> None:
    joined = join("r", STARTER, Began.awaited, sampled=True)

    assert joined.own == TraceContext(7, SpanIds("r").run(), True, "vendor=1")
    assert joined.parent == STARTER
    assert joined.link is None


def test_a_detached_run_has_a_trace_of_its_own_and_links_who_started_it() -> None:
    joined = join("r", STARTER, Began.detached, sampled=True)

    assert joined.own == TraceContext(trace_id_of("r"), SpanIds("r").run())
    assert joined.parent is None
    assert joined.link == STARTER


@pytest.mark.parametrize("began", Began)
def test_a_run_that_nobody_traced_has_a_trace_of_its_own(began: Began) -> None:
    joined = join("r", None, began, sampled=True)

    assert joined.own.trace_id == trace_id_of("r")
    assert joined.parent is None
    assert joined.link is None


@pytest.mark.parametrize("began", Began)
@pytest.mark.parametrize("starter", [None, TraceContext(7, 8), TraceContext(7, 8, False)])
@pytest.mark.parametrize("sampled", [True, False])
def test_a_resume_finds_its_place_in_the_first_event(began: Began, starter: TraceContext | None, sampled: bool) -> None:
    joined = join("r", starter, began, sampled=sampled)

    found = read_joined("r", recorded(joined))

    assert (found.own, found.parent, found.link) == (joined.own, joined.parent, joined.link)


def test_the_tracestate_is_kept_unread() -> None:
    assert read_joined("r", recorded(join("r", STARTER, Began.awaited, sampled=True))).own.state == "vendor=1"


def test_a_run_that_began_without_telemetry_gets_a_trace_of_its_own() -> None:
    assert read_joined("r", {}) == Joined(TraceContext(trace_id_of("r"), SpanIds("r").run()), None, Relation.parent)
