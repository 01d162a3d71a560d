"""A stored run as a board: the same fold that a run is watched by, over the records on disk."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from actorflow.cli.board import Board, Failure, failure_of, unstarted_failure
from actorflow.cli.complaint import refusal
from actorflow.flows.faults import did_you_mean
from actorflow.runs.events import AttemptFinished, Record, RunResumed, RunStarted, TaskFinished
from actorflow.runs.executor import AttemptState
from actorflow.runs.states import TERMINAL_RUN_STATUSES, TaskState
from actorflow.runs.step_usage import StepUsage, UsageFold
from actorflow.runs.store_errors import StoreError
from actorflow.runs.stored_run import StoredRun


class StoredBoard(NamedTuple):
    """What became of a run so far. header: how it began; None where not even that is on disk."""

    board: Board
    header: RunStarted | None
    usage: Mapping[str, StepUsage]
    failures: list[Failure]


def board_of(stored: StoredRun, *, every_failure: bool = False) -> StoredBoard:
    """Fold it. every_failure: keep all of them, and not only the first. Raises JournalDamaged."""
    owned = stored.is_owned()  # first: an owner that ends after this has written what it had to say
    board, usage = Board(run_id=stored.run_id), UsageFold()
    header: RunStarted | None = None
    failures: list[Failure] = []
    last_s: float | None = None
    for record in stored.records():
        last_s = record.ts
        board.apply(record)
        usage.apply(record)
        if isinstance(record.event, RunStarted):
            header = record.event
        elif isinstance(record.event, RunResumed) and record.event.refreshed:
            failures.clear()  # what had failed runs again
        elif every_failure:
            failures += _failure(record, board)
    if not owned and board.status not in TERMINAL_RUN_STATUSES:
        board.interrupted(last_s)
    return StoredBoard(board, header, usage.steps, failures)


def _failure(record: Record, board: Board) -> list[Failure]:
    match record.event:
        case AttemptFinished(final=True, state=AttemptState.failed) as event:
            return [failure_of(event, board.rows[event.task].attempts_allowed, record.ts)]
        case TaskFinished(state=TaskState.failed) as event:
            return [unstarted_failure(event)]
        case _:
            return []


def require_step(stored: StoredRun, name: str) -> None:
    """Raises Complaint for a step that the run does not have; what cannot be read is no reason to refuse."""
    first = None
    with suppress(StoreError):
        first = next(iter(stored.records()), None)
    if first is None or not isinstance(first.event, RunStarted):
        return
    names = [task.name for task in first.event.tasks]
    if name in names:
        return
    task, bracket, index = name.partition("[")
    index = index.removesuffix("]")
    if bracket and task in names and index.isdecimal():
        help = f"an instance of a mapped step is asked for by --task {task} --map-index {index}"
    else:
        help = did_you_mean(name, names)
    raise refusal(f"run {stored.run_id} has no step `{name}`", help)


def more_json(stored: StoredRun) -> dict[str, object]:
    """What `show --json` says beside the history: where the run came from, and what each step took."""
    shown = board_of(stored)
    header = shown.header
    return {
        "tags": {} if header is None else dict(header.tags),
        "code": "" if header is None else header.code,
        "revision": "" if header is None else header.revision,
        "usage": {name: step.to_json() for name, step in shown.usage.items()},
    }
