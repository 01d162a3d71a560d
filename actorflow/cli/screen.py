"""The live view as lines: a row for each step that runs or failed, the rest folded or counted, one line of totals.

Pure: board, time and size in, lines out. At most `MAX_RUNNING_ROWS` attempts are listed, of steps over and steps
waiting only the last and the first few, so the view never outgrows its terminal.
"""

from __future__ import annotations

from actorflow.cli.board import Board, Row, RunningAttempt
from actorflow.cli.plain import STATE_WORDS, parameters, tally
from actorflow.cli.spans import Line, Span, active, bad, dim, line, ok, strong, warn
from actorflow.cli.words import duration, number, plural, shorten
from actorflow.runs.states import TaskState

MAX_RUNNING_ROWS = 8
MAX_OVER_ROWS = 6
MAX_WAITING_ROWS = 4
BAR_CELLS = 28
MIN_DONE_FOR_ESTIMATE = 5


def screen_lines(
    board: Board, *, now_s: float, width: int, height: int, grace_left_s: float | None = None
) -> list[Line]:
    """What the live region shows now; at most `height` lines. grace_left_s: set while a cancelled run winds down."""
    names = max((len(row.label) for row in board.rows.values()), default=0)
    names = min(names, max(width // 3, 8))
    top = [_head(board, width)]
    bottom = [line(dim("-" * min(width - 1, 80))), _totals(board, now_s, grace_left_s)]
    room = max(height - len(top) - len(bottom), 1)
    return [*top, *_rows(board, now_s, names, room), *bottom]


def bar(row: Row, cells: int = BAR_CELLS) -> Line:
    """Finished, failed and running shares of a map, one character a cell."""
    if not row.width:
        return ()
    failed = row.counts[TaskState.failed]
    done = _cells(row.done - failed, row.width, cells)
    broken = min(max(_cells(failed, row.width, cells), 1 if failed else 0), cells - done)
    under_way = min(_cells(len(row.running), row.width, cells), cells - done - broken)
    rest = cells - done - broken - under_way
    return line(ok("#" * done), bad("!" * broken), active(">" * under_way), dim("." * rest))


def time_left_s(row: Row, now_s: float) -> float | None:
    """Seconds until the map is over at the pace so far; None until that means something."""
    if row.started_s is None or row.is_over or row.done < MIN_DONE_FOR_ESTIMATE or row.width is None:
        return None
    return (row.width - row.done) * (now_s - row.started_s) / row.done


def _cells(part: int, whole: int, cells: int) -> int:
    return part * cells // whole


def _head(board: Board, width: int) -> Line:
    text = f" run {board.run_id}{parameters(board)}"
    return line(" ", strong(board.dag), shorten(text, max(width - len(board.dag) - 2, 10)))


def _rows(board: Board, now_s: float, names: int, room: int) -> list[Line]:
    over = [row for row in board.rows.values() if row.is_over]
    now = [row for row in board.rows.values() if not row.is_over and row.started_s is not None]
    later = [row for row in board.rows.values() if not row.is_over and row.started_s is None]
    attempts = min(MAX_RUNNING_ROWS, max(room - len(now) - 3, 0))
    lines = _folded([_over(row, names) for row in _kept_over(over)], len(over), "over", ok("ok  "))
    for row in now:
        lines.append(_under_way(row, now_s, names))
        shown = _oldest(row, attempts)
        attempts -= len(shown)
        lines += [_attempt(one, now_s) for one in shown]
        hidden = len(row.running) - len(shown)
        if hidden and row.mapped:
            lines.append(line(dim(f"   | {number(hidden)} more running")))
    waiting = [_later(row, names) for row in later[:MAX_WAITING_ROWS]]
    lines += _folded(waiting, len(later), "waiting", dim("wait"))
    return lines if len(lines) <= room else [*lines[: room - 1], line(dim(f"  ... {len(lines) - room + 1} more lines"))]


def _kept_over(over: list[Row]) -> list[Row]:
    """Steps over that are worth a line: all that failed, then the last ones."""
    failed = [row for row in over if row.counts[TaskState.failed]][-MAX_OVER_ROWS:]
    fine = [row for row in over if not row.counts[TaskState.failed]]
    kept = [*failed, *fine[max(len(fine) - (MAX_OVER_ROWS - len(failed)), 0) :]]
    return [row for row in over if row in kept]


def _folded(shown: list[Line], of: int, what: str, mark: Span) -> list[Line]:
    left = of - len(shown)
    if left <= 0:
        return shown
    fold = line(" ", mark, dim(f" {plural(left, 'more step', 'more steps')} {what}"))
    return [fold, *shown] if what == "over" else [*shown, fold]


def _over(row: Row, names: int) -> Line:
    took = duration(row.ended_s - row.started_s) if row.ended_s is not None and row.started_s is not None else ""
    name = shorten(row.label, names).ljust(names)
    flaky = f"  {number(row.flaky)} flaky" if row.flaky else ""
    counts = f"  {_counts(row)}" if row.mapped else ""
    return line(" ", _mark(row), f" {name}  {took:>6}", dim(f"{counts}{flaky}"))


def _mark(row: Row) -> Span:
    if row.counts[TaskState.failed]:
        return bad("FAIL")
    for state, word in (
        (TaskState.cancelled, "stop"),
        (TaskState.upstream_failed, "none"),
        (TaskState.skipped, "skip"),
    ):
        if row.counts[state]:
            return warn(word)
    return ok("ok  ")


def _counts(row: Row) -> str:
    counts = [f"{number(row.counts[state])} {word.lower()}" for state, word in STATE_WORDS.items() if row.counts[state]]
    return ", ".join(counts) or "0 items"


def _under_way(row: Row, now_s: float, names: int) -> Line:
    name = shorten(row.label, names).ljust(names)
    if not row.mapped:
        one = next(iter(row.running.values()), None)
        what = (
            _since(one, now_s)
            if one
            else (f"retry after {next(iter(row.retrying.values()), '')}" if row.retrying else "queued")
        )
        return line(" ", active("run "), f" {name}  {what}")
    failed = row.counts[TaskState.failed]
    parts = [f"{number(row.done)}/{number(row.width or 0)}"]
    parts += [f"{number(row.retries)} retried"] if row.retries else []
    left = time_left_s(row, now_s)
    parts += [f"~{duration(left)} left"] if left is not None else []
    trouble = [bad(f"  {number(failed)} failed")] if failed else []
    return line(" ", active("run "), f" {name}  ", "  ".join(parts), *trouble, "  ", *bar(row))


def _oldest(row: Row, at_most: int) -> list[RunningAttempt]:
    if not row.mapped:
        return []
    return sorted(row.running.values(), key=lambda one: one.started_s)[:at_most]


def _attempt(one: RunningAttempt, now_s: float) -> Line:
    return line(dim("   | "), f"{one.label}  {_since(one, now_s)}")


def _since(one: RunningAttempt, now_s: float) -> str:
    again = f"  attempt {one.number}" if one.number > 1 else ""
    after = f", after {one.after}" if one.after else ""
    return f"{duration(now_s - one.started_s)}{again}{after}"


def _later(row: Row, names: int) -> Line:
    after = f"after {', '.join(row.upstream)}" if row.upstream else ""
    return line(" ", dim("wait"), f" {shorten(row.label, names).ljust(names)}  ", dim(after))


def _totals(board: Board, now_s: float, grace_left_s: float | None) -> Line:
    took = duration(now_s - board.started_s) if board.started_s is not None else ""
    if grace_left_s is None:
        return line(" ", tally(board), f"  {took}")
    stopping = f"cancelling, {max(grace_left_s, 0):.0f}s left for what runs; Ctrl-C again kills"
    return line(" ", tally(board), f"  {took}  ", warn(stopping))
