"""The end of a run: what failed, what came of it, and what to type next."""

from __future__ import annotations

from dataclasses import dataclass

from actorflow.cli.board import Board
from actorflow.cli.failure import failure_lines
from actorflow.cli.plain import STATE_WORDS, value_text
from actorflow.cli.spans import Line, bad, dim, line, ok, strong, warn
from actorflow.cli.words import duration, listed, number
from actorflow.runs.states import RunStatus, TaskState

MAX_FAILURE_BLOCKS = 3
RULE = "-" * 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """What the advice at the end needs: the target as typed, the store where it was named, the folder we stand in."""

    target: str
    folder: str
    store: str = ""
    full_traceback: bool = False


def report_lines(board: Board, next_: Next) -> list[Line]:
    """Blocks for the first failures, the cascade as a count, the summary, then what to type next."""
    lines = [*failure_blocks(board, next_), *cascade_lines(board)]
    if lines:
        lines.append(line(dim(RULE)))
    lines.append(summary_line(board))
    if board.status is not RunStatus.succeeded:
        lines += advice(board, next_)
    return lines


def failure_blocks(board: Board, next_: Next) -> list[Line]:
    """The first failures in full, then how many there are more."""
    lines: list[Line] = []
    for failure in board.failures[:MAX_FAILURE_BLOCKS]:
        lines += failure_lines(failure, folder=next_.folder, full_traceback=next_.full_traceback)
    left = board.total(TaskState.failed) - min(len(board.failures), MAX_FAILURE_BLOCKS)
    return [*lines, line(dim(f"  and {number(left)} more failed"))] if left > 0 else lines


def summary_line(board: Board) -> Line:
    """`run 7f3k failed in 34s: 239 ok, 1 failed, 1 not run, 3 flaky (passed on retry)`."""
    took = duration((board.ended_s or 0.0) - (board.started_s or 0.0))
    counts = [
        f"{number(board.total(state))} {word.lower()}" for state, word in STATE_WORDS.items() if board.total(state)
    ]
    if board.flaky:
        counts.append(f"{number(board.flaky)} flaky (passed on retry)")
    tone = {RunStatus.succeeded: ok, RunStatus.failed: bad}.get(board.status, warn)
    return line(
        "run ", strong(board.run_id), " ", tone(board.status), f" in {took}: {', '.join(counts) or 'nothing ran'}"
    )


def advice(board: Board, next_: Next) -> list[Line]:
    """The next commands, each of which works as it stands."""
    from shlex import quote

    store = f" --store {quote(next_.store)}" if next_.store else ""
    lines = [line(dim("  show    "), f"actorflow show {board.run_id}{store}")]
    if board.failures:
        lines.append(line(dim("  debug   "), f"{again(board, next_)} --executor inline{store}"))
    return lines


def again(board: Board, next_: Next) -> str:
    """The command that runs the same dag with the same parameters."""
    from shlex import quote

    given = [(name, value_text(param.value)) for name, param in board.params.items() if param.source != "default"]
    return " ".join(["actorflow run", quote(next_.target), *[f"-p {quote(f'{k}={v}')}" for k, v in given]])


def cascade_lines(board: Board) -> list[Line]:
    """Steps that never ran because of the failures, by name and count, in one line."""
    names = [row.label for row in board.rows.values() if row.counts[TaskState.upstream_failed]]
    if not names:
        return []
    above = _upstream_of([row.name for row in board.rows.values() if row.counts[TaskState.upstream_failed]], board)
    failed = [row.label for row in board.rows.values() if row.name in above and row.counts[TaskState.failed]]
    return [line(dim(f"  not run: {listed(names)}, for want of {listed(failed)}"))]


def _upstream_of(names: list[str], board: Board) -> set[str]:
    """Every step that one of `names` needs, directly or through others."""
    found: set[str] = set()
    while names:
        row = board.rows.get(names.pop())
        for name in row.upstream if row is not None else ():
            if name not in found:
                found.add(name)
                names.append(name)
    return found
