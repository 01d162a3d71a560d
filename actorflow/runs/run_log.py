"""Where a journal's rows end up: what `Journal` needs of a file, and of its stand-in in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from actorflow.runs.event_rows import Row
from actorflow.runs.events import Event
from actorflow.runs.tally import RunSummary
from actorflow.runs.values import Value, ValueSource


class LargeRow(NamedTuple):
    """A row to be that has a value too large for it: the log encodes it, off the loop, where the value is stored."""

    seq: int
    ts: float
    event: Event


class RunLog(Protocol):
    """Rows of one run, held by their one writer.

    `write`, `announce`, `anchor` and `close` block and are called from worker threads where `blocks` is true; they may
    be called again while an earlier call still runs in a thread nobody waits for, and then wait for that.
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
    def max_inline_bytes(self) -> int | None:
        """Up to which size a value stands in its row; a row with a larger one is a LargeRow. None: whatever size."""
        ...

    @property
    def keeps_read(self) -> bool:
        """True if values stay after their last reader, so that nothing need be released."""
        ...

    @property
    def values(self) -> ValueSource | None:
        """Where the large values of rows are; None if there are none."""
        ...

    @property
    def last_seq(self) -> int:
        """Of the last row written; 0 before the first."""
        ...

    def write(self, rows: Sequence[Row | LargeRow], released: Sequence[Value] = ()) -> None:
        """All rows are on disk when this returns; rows up to `last_seq` are there already and are passed over.

        Values of LargeRows are spilled then. released: values of these or earlier rows that nobody will read again.
        Raises JournalFailed; then none of the rows is written. After StoreFull it may be called again with the same.
        """

    def rows(self) -> Iterator[Row]:
        """What is written, from the first on, with the chain verified; raises JournalDamaged."""
        ...

    def announce(self, summary: RunSummary) -> None:
        """The run has begun: whoever lists runs may be told. Raises nothing."""

    def anchor(self, summary: RunSummary) -> None:
        """Keep the head of the chain apart from the rows, so that the loss of rows up to here can be told.

        Raises JournalFailed; the rows are not touched by that.
        """

    def close(self, summary: RunSummary | None) -> None:
        """The head of the chain and the summary are stored and everything is let go; again does nothing.

        summary: None after a failure. Raises JournalFailed; after StoreFull it may be called again.
        """
