"""A stored run as a board: the same fold that a run is watched by, over the records on disk."""

from __future__ import annotations

from actorflow.cli.board import Board
from actorflow.runs.events import RunStarted
from actorflow.runs.states import TERMINAL_RUN_STATUSES, RunStatus
from actorflow.runs.stored_run import StoredRun


def board_of(stored: StoredRun) -> tuple[Board, str]:
    """What became of the run so far, and the file it was started from. Raises JournalDamaged."""
    owned = stored.is_owned()  # first: an owner that ends after this has written what it had to say
    board, file = Board(run_id=stored.run_id), ""
    for record in stored.records():
        board.apply(record)
        if isinstance(record.event, RunStarted):
            file = record.event.file
    if not owned and board.status not in TERMINAL_RUN_STATUSES:
        board.status = RunStatus.interrupted
        for row in board.rows.values():
            row.running.clear()
    return board, file
