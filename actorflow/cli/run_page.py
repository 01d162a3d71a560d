"""Runs as pages: the list of a store, and one run with its steps and failures. Pure: values in, lines out."""

from __future__ import annotations

from collections.abc import Sequence

from actorflow.cli.board import Board, Row
from actorflow.cli.plain import STATE_WORDS, state_span, value_text
from actorflow.cli.report import Next, advice, cascade_lines, failure_blocks
from actorflow.cli.spans import Line, Span, active, bad, dim, line, ok, strong, warn
from actorflow.cli.words import day_and_clock, duration, number, plural, shorten
from actorflow.runs.states import RunStatus, TaskState
from actorflow.runs.tally import RunSummary

_STATUS_TONES = {
    RunStatus.succeeded: ok,
    RunStatus.failed: bad,
    RunStatus.running: active,
    RunStatus.interrupted: warn,
    RunStatus.cancelled: warn,
}
_HEADINGS = ("RUN", "DAG", "STATUS", "STARTED", "TOOK", "TASKS")


def runs_lines(runs: Sequence[RunSummary], *, now_s: float) -> list[Line]:
    """A table, a line for each run; nothing but words where there are none."""
    if not runs:
        return [line(dim("no runs"))]
    rows = [_summary_cells(run, now_s) for run in runs]
    widths = [max(len(cells[n].text) for cells in [*rows, _headings()]) for n in range(len(_HEADINGS))]
    return [_table_line(cells, widths) for cells in [_headings(), *rows]]


def run_lines(board: Board, next_: Next, *, now_s: float) -> list[Line]:
    """One run: what it is, its parameters, a line for each step, its first failures, what to type next."""
    took = "" if board.started_s is None else f" in {duration((board.ended_s or now_s) - board.started_s)}"
    began = "" if board.started_s is None else f", started {day_and_clock(board.started_s)}"
    tone = _STATUS_TONES.get(board.status, dim)
    lines = [line("run ", strong(board.run_id), f"  {board.dag} ", tone(board.status), f"{took}{began}")]
    if board.cancelling:
        lines.append(line(dim("  cancelled by "), board.cancelling))
    if board.trace_id:
        lines.append(line(dim("  trace "), board.trace_id))
    lines += [
        line("  ", dim(f"{name} = "), shorten(value_text(given.value), 80), dim(f"  ({given.source})"))
        for name, given in board.params.items()
    ]
    names = max((len(row.label) for row in board.rows.values()), default=0)
    lines += [(), *[_step_line(row, names, now_s) for row in board.rows.values()]]
    failures = [*failure_blocks(board, next_), *cascade_lines(board)]
    if failures:
        lines += [(), *failures]
    if board.status is RunStatus.failed or next_.has_output:
        lines += [(), *advice(board, next_)[1:]]
    return lines


def _headings() -> list[Span]:
    return [dim(text) for text in _HEADINGS]


def _summary_cells(run: RunSummary, now_s: float) -> list[Span]:
    took = run.duration_s(now_s)
    is_over = run.ended is not None or run.status is RunStatus.running
    return [
        strong(run.run_id),
        Span(run.dag),
        _STATUS_TONES.get(run.status, dim)(run.status.value),
        Span("" if run.started is None else day_and_clock(run.started)),
        Span("" if took is None or not is_over else duration(took)),
        Span(run.problem or _counts(run)),
    ]


def _counts(run: RunSummary) -> str:
    words = {state.value: word.lower() for state, word in STATE_WORDS.items()}
    return ", ".join(
        f"{number(count)} {words.get(state, state.replace('_', ' '))}" for state, count in run.tasks.items()
    )


def _table_line(cells: list[Span], widths: list[int]) -> Line:
    return tuple(Span(span.text.ljust(width + 2), span.tone) for span, width in zip(cells, widths, strict=True))


def _step_line(row: Row, names: int, now_s: float) -> Line:
    began_s = row.started_s
    took = "" if began_s is None else duration((row.ended_s if row.ended_s is not None else now_s) - began_s)
    parts = [_counted(row)] if row.mapped else []
    parts += [plural(row.retries, "retry", "retries")] if row.retries else []
    parts += [f"needs {', '.join(row.upstream)}"] if row.counts[TaskState.upstream_failed] and row.upstream else []
    state = _state(row)
    padding = " " * max(9 - len(state.text), 1)
    return line("  ", state, f"{padding}{row.label:<{names}}  {took:>6}", dim(f"  {'  '.join(parts)}"))


def _state(row: Row) -> Span:
    """The worst that became of any instance; else what they all are."""
    for state in (TaskState.failed, TaskState.cancelled, TaskState.upstream_failed, TaskState.skipped):
        if row.counts[state]:
            return state_span(state)
    if row.is_over:
        return state_span(TaskState.succeeded)
    return active("running") if row.running else dim("pending")


def _counted(row: Row) -> str:
    counts = [f"{number(row.counts[state])} {word.lower()}" for state, word in STATE_WORDS.items() if row.counts[state]]
    waiting = row.waiting if row.width is not None else 0
    counts += [f"{number(len(row.running))} running"] if row.running else []
    counts += [f"{number(waiting)} pending"] if waiting else []
    return ", ".join(counts) or "0 items"
