"""Where a journal's rows end up: what `Journal` needs of a file, and of its stand-in in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from actorflow.runs.event_rows import Row
from actorflow.runs.tally import RunSummary


class RunLog(Protocol):
    """Rows of one run, held by their one writer.

    `write` and `close` block and are called from worker threads where `blocks` is true; they may be called again while
    an earlier call still runs in a thread nobody waits for, and then wait for that.
    """

    @property
    def run_id(self) -> str: ...

    @property
    def path(self) -> Path:
        """The file; a name that no file has where there is none."""
        ...

    @property
    def blocks(self) -> bool: ...

    @property
    def last_seq(self) -> int:
        """Of the last row written; 0 before the first."""
        ...

    def write(self, rows: Sequence[Row]) -> None:
        """All rows are on disk when this returns; rows up to `last_seq` are there already and are passed over.

        Raises JournalFailed; then none of them is.
        """

    def rows(self) -> Iterator[Row]:
        """What is written, from the first on, with the chain verified; raises JournalDamaged."""
        ...

    def close(self, summary: RunSummary | None) -> None:
        """The head of the chain and the summary are stored and everything is let go; again does nothing."""
