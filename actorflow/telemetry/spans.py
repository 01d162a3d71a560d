"""Spans as plain values, as they are before any SDK sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from actorflow.hot_value import hot_value, hot_value_by_name

Attributes = Mapping[str, str | int | float | bool]


class Kind(StrEnum):
    """internal, or server: a request that came from outside."""

    internal = "internal"
    server = "server"


@dataclass(frozen=True, slots=True)
class LinkRecord:
    """A link to another span; of the same trace unless it says otherwise."""

    span_id: int
    attributes: Attributes
    trace_id: int | None = None


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """Something that happened in a span. at_s: epoch seconds."""

    name: str
    at_s: float
    attributes: Attributes


@hot_value
class Failed:
    """The status of a span that ended in a failure."""

    description: str


@hot_value_by_name
class SpanRecord:
    """A span that has ended. parent_id: None for the root of its trace, unless the run has a parent elsewhere.

    started_s, ended_s: epoch seconds. status: None where nothing went wrong.
    """

    name: str
    span_id: int
    parent_id: int | None
    started_s: float
    ended_s: float
    attributes: Attributes
    kind: Kind = Kind.internal
    links: tuple[LinkRecord, ...] = ()
    events: tuple[SpanEvent, ...] = ()
    status: Failed | None = None
