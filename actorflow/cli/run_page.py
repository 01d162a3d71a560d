"""Runs as pages: the list of a store, and one run with its steps and failures. Pure: values in, lines out."""

from __future__ import annotations

from collections.abc import Sequence

from actorflow.cli.board import Row
from actorflow.cli.failure import failure_lines
from actorflow.cli.plain import STATE_WORDS, state_span, value_text
from actorflow.cli.report import Next, advice, cascade_lines, failure_blocks
from actorflow.cli.spans import Line, Span, active, bad, dim, line, ok, strong, warn
from actorflow.cli.stored import StoredBoard
from actorflow.cli.words import day_and_clock, duration, number, plural, shorten, size
from actorflow.runs.events import RunStarted
from actorflow.runs.run_query import RunPage, RunQuery
from actorflow.runs.states import TERMINAL_RUN_STATUSES, RunStatus, TaskState
from actorflow.runs.step_usage import StepUsage
from actorflow.runs.tally import RunSummary

_STATUS_TONES = {
    RunStatus.succeeded: ok,
    RunStatus.failed: bad,
    RunStatus.running: active,
    RunStatus.interrupted: warn,
    RunStatus.cancelled: warn,
}
_TOOK_WORDS = {
    RunStatus.interrupted: "after",
    **{status: "for" for status in RunStatus if status not in {*TERMINAL_RUN_STATUSES, RunStatus.interrupted}},
}
TELLING_S = 0.01
_HEADINGS = ("RUN", "DAG", "STATUS", "STARTED", "TOOK", "TASKS")


def page_lines(page: RunPage, query: RunQuery, *, now_s: float) -> list[Line]:
    """A page of runs, and how many there are beyond it."""
    lines = runs_lines(page.runs, now_s=now_s)
    if not page.runs:
        return [line(dim(f"no runs on this page; there are {number(page.total)}"))] if page.total else lines
    last = query.offset + len(page.runs)
    if query.offset or last < page.total:
        lines.append(line(dim(f"{number(query.offset + 1)} to {number(last)} of {number(page.total)}; --page, or -n")))
    return lines


def runs_lines(runs: Sequence[RunSummary], *, now_s: float) -> list[Line]:
    """A table, a line for each run; nothing but words where there are none."""
    if not runs:
        return [line(dim("no runs"))]
    rows = [_summary_cells(run, now_s) for run in runs]
    widths = [max(len(cells[n].text) for cells in [*rows, _headings()]) for n in range(len(_HEADINGS))]
    return [_table_line(cells, widths) for cells in [_headings(), *rows]]


def run_lines(shown: StoredBoard, next_: Next, *, now_s: float) -> list[Line]:
    """One run: what it is, its parameters, a line for each step, its failures, what to type next.

    The first failures, or all of them where `shown` has them.
    """
    board = shown.board
    until_s = now_s if board.ended_s is None else board.ended_s
    verb = _TOOK_WORDS.get(board.status, "in")
    took = "" if board.started_s is None else f" {verb} {duration(until_s - board.started_s)}"
    began = "" if board.started_s is None else f", started {day_and_clock(board.started_s)}"
    tone = _STATUS_TONES.get(board.status, dim)
    lines = [line("run ", strong(board.run_id), f"  {board.dag} ", tone(board.status), f"{took}{began}")]
    if board.cancelling:
        lines.append(line(dim("  cancelled by "), board.cancelling))
    if board.replay_of:
        lines.append(line(dim("  replay of "), board.replay_of))
    if board.trace_id:
        lines.append(line(dim("  trace "), board.trace_id))
    lines += [
        line("  ", dim(f"{name} = "), shorten(value_text(given.value), 80), dim(f"  ({given.source})"))
        for name, given in board.params.items()
    ]
    lines += _origin_lines(shown.header)
    names = max((len(row.label) for row in board.rows.values()), default=0)
    lines += [(), *[_step_line(row, shown.usage.get(row.name), names, until_s) for row in board.rows.values()]]
    failures = [*_failure_lines(shown, next_), *cascade_lines(board)]
    if failures:
        lines += [(), *failures]
    if board.status is RunStatus.failed or next_.has_output:
        lines += [(), *advice(board, next_)[1:]]
    return lines


def _failure_lines(shown: StoredBoard, next_: Next) -> list[Line]:
    if not shown.failures:
        return failure_blocks(shown.board, next_)
    blocks = [failure_lines(each, folder=next_.folder, full_traceback=next_.full_traceback) for each in shown.failures]
    return [each for block in blocks for each in block]


def _origin_lines(header: RunStarted | None) -> list[Line]:
    """Its tags, and where its code came from."""
    if header is None:
        return []
    lines = [line("  ", dim("tag "), f"{name}={value}") for name, value in header.tags.items()]
    told = [f"sha256 {header.code[:12]}"] if header.code else []
    told += [f"commit {header.revision[:12]}"] if header.revision else []
    told += [f"actorflow {header.version}"] if header.version else []
    told += [f"Python {header.python}"] if header.python else []
    return [*lines, line("  ", dim("code "), header.file, dim(f"  {', '.join(told)}"))]


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


def _step_line(row: Row, usage: StepUsage | None, names: int, until_s: float) -> Line:
    began_s = row.started_s
    took = "" if began_s is None else duration((row.ended_s if row.ended_s is not None else until_s) - began_s)
    parts = [_counted(row)] if row.mapped else []
    parts += [plural(row.retries, "retry", "retries")] if row.retries else []
    parts += [f"needs {', '.join(row.upstream)}"] if row.counts[TaskState.upstream_failed] and row.upstream else []
    parts += [] if usage is None else _usage_words(usage)
    state = _state(row)
    padding = " " * max(9 - len(state.text), 1)
    return line("  ", state, f"{padding}{row.label:<{names}}  {took:>6}", dim(f"  {'  '.join(parts)}"))


def _usage_words(usage: StepUsage) -> list[str]:
    """What its attempts took together, where that says something: waiting, processor time, the highest memory."""
    words: list[str] = []
    if usage.attempts > 1:
        words.append(f"ran {duration(usage.running_s)} in {plural(usage.attempts, 'attempt')}")
    if usage.waiting_s >= TELLING_S:
        words.append(f"waited {duration(usage.waiting_s)}")
    if usage.cpu_s is not None and usage.cpu_s >= TELLING_S:
        words.append(f"cpu {duration(usage.cpu_s)}")
    if usage.peak_rss_bytes is not None:
        words.append(f"peak {size(usage.peak_rss_bytes)}")
    return words


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
