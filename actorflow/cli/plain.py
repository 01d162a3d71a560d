"""Progress as plain lines, one for each change, for a pipe, a log or a terminal without a cursor.

A map wider than `MAX_SHOWN_WIDTH` would drown everything else, so of it these are printed: its width, each tenth of
it with counts, its first failures and retries one by one, the rest of them counted.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import assert_never

from actorflow.cli.board import Board, Row, label
from actorflow.cli.failure import one_line
from actorflow.cli.spans import Line, Span, bad, dim, line, ok, strong, warn
from actorflow.cli.words import attempt_words, clock, duration, number, plural, shorten
from actorflow.runs.events import (
    AttemptFinished,
    AttemptStarted,
    Record,
    RunCancelling,
    RunFinished,
    RunPaused,
    RunPausing,
    RunResumed,
    RunStarted,
    TaskFinished,
    TaskReady,
)
from actorflow.runs.executor import AttemptState, Cause
from actorflow.runs.plain_json import plain_value
from actorflow.runs.states import TaskState
from actorflow.runs.values import Value

MAX_SHOWN_WIDTH = 20
MAX_SHOWN_TROUBLES = 10
COUNT_LINES = 10

STATE_WORDS = {
    TaskState.succeeded: "ok",
    TaskState.failed: "FAILED",
    TaskState.cancelled: "cancelled",
    TaskState.skipped: "skipped",
    TaskState.upstream_failed: "not run",
}
_UNSTARTED_WORDS = {Cause.reused: "reused", Cause.selected_out: "left out"}
_TONES = {TaskState.succeeded: ok, TaskState.failed: bad, TaskState.cancelled: warn}


@dataclass(slots=True)
class PlainLines:
    """Records in, lines out. `board` is folded by the caller, up to and with the record in hand."""

    board: Board
    _troubles: Counter[str] = field(default_factory=Counter[str])
    _tenths: dict[str, int] = field(default_factory=dict[str, int])

    def of(self, record: Record) -> list[Line]:
        """The lines that this record is worth; often none."""
        event = record.event
        match event:
            case RunStarted():
                return self._run_started(event, record.ts)
            case TaskReady(task=task, width=width):
                return self._ready(task, width, record.ts)
            case AttemptStarted():
                return self._started(event, record.ts)
            case AttemptFinished():
                return self._finished(event, record.ts)
            case TaskFinished():
                return self._unstarted(event, record.ts)
            case RunCancelling(reason=why):
                return [line(clock(record.ts), " ", warn("cancelling"), f" {why}")]
            case RunPausing(reason=why):
                return [line(clock(record.ts), " ", warn("pausing"), f" {why}")]
            case RunPaused():
                return [line(clock(record.ts), " ", warn("paused"), " nothing runs")]
            case RunResumed(reason=why):
                return [line(clock(record.ts), " ", warn("resumed"), f" {why}"), *self._changed(event, record.ts)]
            case RunFinished():
                return []
        assert_never(event)

    def _changed(self, event: RunResumed, ts: float) -> list[Line]:
        names = ", ".join(ref.partition(":")[2] for ref in event.sources)
        return [line(clock(ts), " ", warn("note"), f" changed since: {names}")] if names else []

    def _run_started(self, event: RunStarted, ts: float) -> list[Line]:
        head = line(clock(ts), " ", strong(event.dag), f" run {event.run_id}", dim(parameters(self.board)))
        return [head, *[line(clock(ts), " ", warn("note"), f" {note}") for note in event.notes]]

    def _ready(self, task: str, width: int | None, ts: float) -> list[Line]:
        if width is None:
            return []
        row = self.board.rows[task]
        if width == 0:
            return [line(clock(ts), f" {row.label} ", ok("ok"), " nothing to do, 0 items")]
        return [line(clock(ts), f" {row.label} {plural(width, 'item')}")]

    def _started(self, event: AttemptStarted, ts: float) -> list[Line]:
        row = self.board.rows[event.task]
        if event.attempt > 1 or _is_wide(row):
            return []
        # A worker process is given more attempts than it has in hand, and tells when one began only at its end.
        word = "sent to a worker" if row.executor == "process" else "started"
        return [line(clock(ts), f" {label(event.task, event.map_index)} ", dim(word))]

    def _finished(self, event: AttemptFinished, ts: float) -> list[Line]:
        row = self.board.rows[event.task]
        lines: list[Line] = []
        if not _is_wide(row):
            lines.append(_finished_line(event, row, ts))
        elif event.state is not AttemptState.succeeded:
            lines += self._trouble(event, row, ts)
        if event.final and _is_wide(row):
            lines += self._count_line(row, ts)
        return lines

    def _trouble(self, event: AttemptFinished, row: Row, ts: float) -> list[Line]:
        self._troubles[row.name] += 1
        seen = self._troubles[row.name]
        if seen <= MAX_SHOWN_TROUBLES:
            return [_finished_line(event, row, ts)]
        if seen == MAX_SHOWN_TROUBLES + 1:
            return [line(clock(ts), f" {row.label} ", warn("more failures and retries are counted, not printed"))]
        return []

    def _count_line(self, row: Row, ts: float) -> list[Line]:
        assert row.width is not None
        tenth = row.done * COUNT_LINES // row.width
        if tenth == self._tenths.get(row.name, 0):
            return []
        self._tenths[row.name] = tenth
        share = f" {row.label} {number(row.done)}/{number(row.width)} "
        return [line(clock(ts), share, *_counts(row), *([dim(f"  {_since(row, ts)}")] if row.is_over else []))]

    def _unstarted(self, event: TaskFinished, ts: float) -> list[Line]:
        """Of what never started, a whole step is a line; single indices are in the counts and the summary."""
        if event.map_index is not None:
            row = self.board.rows[event.task]
            return self._count_line(row, ts) if _is_wide(row) else []
        state = event.state
        row = self.board.rows[event.task]
        why = one_line(event.cause, event.error) if state is TaskState.failed else _needs(row, state)
        why = _UNSTARTED_WORDS.get(event.cause, why)
        return [line(clock(ts), f" {row.label} ", state_span(state), f"{', ' if why else ''}{why}")]


@dataclass(slots=True)
class TroubleLines:
    """Above a live region only what has gone wrong for good is a line; the rest is in the region."""

    board: Board
    _shown: int = 0

    def of(self, record: Record) -> list[Line]:
        """A line for each of the first failures."""
        event = record.event
        if not isinstance(event, AttemptFinished) or event.state is not AttemptState.failed or not event.final:
            return []
        self._shown += 1
        if self._shown > MAX_SHOWN_TROUBLES:
            return []
        return [_finished_line(event, self.board.rows[event.task], record.ts)]


def heartbeat_line(board: Board, now_s: float) -> Line:
    """One line that says the run is alive and what has run longest."""
    running = [one for row in board.rows.values() for one in row.running.values()]
    oldest = sorted(running, key=lambda one: one.started_s)[:3]
    names = ", ".join(f"{one.label} {duration(now_s - one.started_s)}" for one in oldest)
    return line(clock(now_s), dim(f" still running: {tally(board)}{f'; longest: {names}' if names else ''}"))


def parameters(board: Board) -> str:
    """`  root=/usr/lib  top=10`, each value cut short."""
    return "".join(f"  {name}={shorten(value_text(given.value), 60)}" for name, given in board.params.items())


def tally(board: Board) -> str:
    """`62 ok  4 running  174 waiting  0 failed`, further states where there are any."""
    parts = [
        f"{number(board.total(TaskState.succeeded))} ok",
        f"{number(board.running)} running",
        f"{number(board.waiting)} waiting",
        f"{number(board.total(TaskState.failed))} failed",
    ]
    others = (TaskState.cancelled, TaskState.skipped, TaskState.upstream_failed)
    parts += [f"{number(board.total(state))} {STATE_WORDS[state]}" for state in others if board.total(state)]
    return "  ".join(parts)


def state_span(state: TaskState) -> Span:
    """The word for a terminal state, in its tone."""
    word = STATE_WORDS.get(state, state.value)
    return _TONES.get(state, dim)(word)


def value_text(value: Value) -> str:
    """A parameter's value as a person would type it."""
    shown = plain_value(value)
    return shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)


def _is_wide(row: Row) -> bool:
    return row.width is not None and row.width > MAX_SHOWN_WIDTH


def _finished_line(event: AttemptFinished, row: Row, ts: float) -> Line:
    name = label(event.task, event.map_index)
    attempt = f", {attempt_words(event.attempt, row.attempts_allowed)}"
    if not event.final and event.state is AttemptState.cancelled:
        return line(clock(ts), f" {name} ", warn("taken back"), f" by the pause{attempt}")
    if not event.final:
        if event.cause not in (Cause.error, Cause.timed_out):  # out of another budget
            attempt = f", {attempt_words(event.attempt, None)}"
        wait = "" if event.retry_in_s is None else f", next in {duration(event.retry_in_s)}"
        return line(clock(ts), f" {name} ", warn("retry"), f" {one_line(event.cause, event.error)}{attempt}{wait}")
    took = duration(ts - event.started)
    if event.state is AttemptState.failed:
        return line(clock(ts), f" {name} ", bad("FAILED"), f" {one_line(event.cause, event.error)}{attempt}, {took}")
    return line(
        clock(ts),
        f" {name} ",
        state_span(TaskState(event.state.value)),
        f" {took}{attempt if event.attempt > 1 else ''}",
    )


def _counts(row: Row) -> list[Span]:
    spans: list[Span] = []
    for state in STATE_WORDS:
        if row.counts[state]:
            spans += [Span(" "), state_span(state), Span(f" {number(row.counts[state])}")]
    if row.retries:
        spans.append(dim(f"  {plural(row.retries, 'retry', 'retries')}"))
    return spans[1:]


def _since(row: Row, ts: float) -> str:
    return duration(ts - row.started_s) if row.started_s is not None else ""


def _needs(row: Row, state: TaskState) -> str:
    if state is TaskState.upstream_failed and row.upstream:
        return f"needs {', '.join(row.upstream)}"
    return ""
