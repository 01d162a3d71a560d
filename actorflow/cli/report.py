"""The end of a run: what failed, what came of it, and what to type next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from actorflow.cli.board import Board, Failure
from actorflow.cli.failure import failure_lines, run_failure_lines
from actorflow.cli.output_lines import last_lines, output_lines
from actorflow.cli.plain import STATE_WORDS, value_text
from actorflow.cli.spans import Line, bad, dim, line, ok, strong, warn
from actorflow.cli.words import duration, listed, number
from actorflow.runs.executor import Cause
from actorflow.runs.output import Origin, OutputRecord, origin_prefix
from actorflow.runs.output_file import records_of
from actorflow.runs.states import RunStatus, TaskState
from actorflow.runs.stored_run import StoredRun

MAX_FAILURE_BLOCKS = 3
RULE = "-" * 80
_MAY_GO_ON = frozenset({RunStatus.failed, RunStatus.cancelled, RunStatus.interrupted})


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """What the advice at the end needs: the target as typed, the store where it was named, the folder we stand in.

    printed: the last that each failed attempt printed. has_output: whether any task printed.
    """

    target: str
    folder: str
    store: str = ""
    full_traceback: bool = False
    printed: Mapping[Origin, Sequence[OutputRecord]] = field(default_factory=dict[Origin, Sequence[OutputRecord]])
    has_output: bool = False


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
        lines += _printed_lines(next_.printed.get(_origin(failure), ()))
    left = board.total(TaskState.failed) - min(len(board.failures), MAX_FAILURE_BLOCKS)
    if left > 0:
        lines.append(line(dim(f"  and {number(left)} more failed")))
    return [*lines, *(run_failure_lines(board.cause, board.error) if board.error is not None else [])]


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
    if next_.has_output:
        task = f" --task {quote(board.failures[0].task)}" if board.failures else ""
        lines.append(line(dim("  logs    "), f"actorflow logs {board.run_id}{task}{store}"))
    if board.status in _MAY_GO_ON:
        lines.append(line(dim("  resume  "), f"actorflow resume {board.run_id}{store}"))
    if board.failures:
        lines.append(line(dim("  debug   "), f"{again(board, next_)} --executor inline{store}"))
    return lines


def again(board: Board, next_: Next) -> str:
    """The command that runs the same dag with the same parameters."""
    from shlex import quote

    given = [(name, value_text(param.value)) for name, param in board.params.items() if param.source != "default"]
    return " ".join(["actorflow run", quote(next_.target), *[f"-p {quote(f'{k}={v}')}" for k, v in given]])


def with_output(next_: Next, board: Board, stored: StoredRun) -> Next:
    """`next_` with what the failed attempts printed last. Reads the run's log once."""
    # A lost worker's last lines stand in the message already.
    failures = [each for each in board.failures[:MAX_FAILURE_BLOCKS] if each.cause is not Cause.lost]
    lines = stored.output()
    first = next(lines, None)
    if first is None:
        return next_
    origins = [_origin(failure) for failure in failures]
    printed = last_lines(records_of(_of(chain([first], lines), origins)), origins)
    return replace(next_, printed=printed, has_output=True)


def _of(lines: Iterator[bytes], origins: Sequence[Origin]) -> Iterator[bytes]:
    prefixes = tuple(map(origin_prefix, origins))
    return (line for line in lines if line.startswith(prefixes)) if prefixes else iter(())


def _origin(failure: Failure) -> Origin:
    return Origin(failure.task, failure.map_index, failure.attempt)


def _printed_lines(records: Sequence[OutputRecord]) -> list[Line]:
    lines = [spans for record in records for spans in output_lines(record)]
    return [line(dim("  it last printed")), *[line("  ", *spans) for spans in lines]] if lines else []


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
