"""Joining: how a run's trace hangs together with the trace of who started it.

| how the run began | the trace of who started it |
|---|---|
| awaited: `actorflow run`, `actorflow.run(...)`, `await run_async(...)` | holds the run: its span is the parent |
| detached: by a schedule or a timer, or started and not waited for | is linked; the run has a trace of its own |

The run's own context stands in its first event, so a resume goes on with the same trace.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from actorflow.telemetry.identity import SpanIds, TraceContext, read_traceparent, trace_id_of

OWN: Final = "traceparent"
STATE: Final = "tracestate"


class Began(StrEnum):
    """How a run began, seen from who started it."""

    awaited = "awaited"
    detached = "detached"


class Relation(StrEnum):
    """What the span of who started the run is to the run's span."""

    parent = "parent"
    link = "link"


_RELATIONS: Final = {Began.awaited: Relation.parent, Began.detached: Relation.link}


@dataclass(frozen=True, slots=True)
class Joined:
    """own: the run's span. starter: the span of who started it, and what that is to the run's."""

    own: TraceContext
    starter: TraceContext | None = None
    relation: Relation = Relation.parent

    @property
    def parent(self) -> TraceContext | None:
        return self.starter if self.relation is Relation.parent else None

    @property
    def link(self) -> TraceContext | None:
        return self.starter if self.relation is Relation.link else None


def join(run_id: str, incoming: TraceContext | None, began: Began, *, sampled: bool) -> Joined:
    """The place of a new run among the traces."""
    relation = _RELATIONS[began]
    inside = incoming is not None and relation is Relation.parent
    own = TraceContext(
        incoming.trace_id if incoming is not None and inside else trace_id_of(run_id),
        SpanIds(run_id).run(),
        sampled,
        incoming.state if incoming is not None and inside else "",
    )
    return Joined(own, incoming, relation)


def recorded(joined: Joined) -> dict[str, str]:
    """As it stands in `RunStarted.trace`."""
    found = {OWN: joined.own.traceparent}
    if joined.own.state:
        found[STATE] = joined.own.state
    if joined.starter is not None:
        found[joined.relation.value] = joined.starter.traceparent
    return found


def read_joined(run_id: str, trace: Mapping[str, str]) -> Joined:
    """What `recorded` wrote; for a run that was started without telemetry, a trace of its own."""
    own = read_traceparent(trace.get(OWN, ""), trace.get(STATE, ""))
    if own is None:
        return Joined(TraceContext(trace_id_of(run_id), SpanIds(run_id).run()))
    for relation in Relation:
        starter = read_traceparent(trace.get(relation.value, ""))
        if starter is not None:
            return Joined(own, starter, relation)
    return Joined(own)
