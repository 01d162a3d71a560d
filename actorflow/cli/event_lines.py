"""An event as a line for a person. Pure."""

from __future__ import annotations

from dataclasses import replace

from actorflow.cli.spans import Line, Span, bad, dim, line, strong
from actorflow.cli.words import clock, shorten
from actorflow.runs.events import EVENT_NAMES, AttemptFinished, Event, Record, RunFinished, to_json
from actorflow.runs.executor import ErrorRecord

LEFT_OUT = frozenset({"v", "seq", "ts", "type", "task", "map_index", "error", "value", "result", "tasks", "trace"})
"""Told in words of their own, or too long for a line; `--json` has all of it."""


def event_line(record: Record) -> Line:
    """`   12  14:25:01  attempt_finished  census[3]  attempt=1 state=failed  OSError: no route`."""
    seq, ts, event = record
    kind = EVENT_NAMES[type(event)]
    fields = {name: value for name, value in to_json(_without_values(record)).items() if name not in LEFT_OUT}
    told = " ".join(f"{name}={shorten(str(value), 60)}" for name, value in fields.items() if _is_telling(value))
    return line(
        dim(f"{seq:>6}  {clock(ts)}  "), f"{kind:<17} ", strong(_subject(event)), f"  {told}".rstrip(), *_error(event)
    )


def _without_values(record: Record) -> Record:
    """A value may be large, or on disk, and is not shown here."""
    match record.event:
        case AttemptFinished() as event:
            return record._replace(event=replace(event, value=None))
        case RunFinished() as event:
            return record._replace(event=replace(event, result=None))
        case _:
            return record


def _subject(event: Event) -> str:
    name = getattr(event, "task", None) or getattr(event, "dag", "")
    index = getattr(event, "map_index", None)
    return str(name) if index is None else f"{name}[{index}]"


def _is_telling(value: object) -> bool:
    return value not in (None, "", [], {})


def _error(event: Event) -> tuple[Span, ...]:
    error = getattr(event, "error", None)
    if not isinstance(error, ErrorRecord):
        return ()
    return (bad(f"  {error.type.partition(':')[2]}: {shorten(error.message, 80)}"),)
