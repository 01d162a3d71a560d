"""A run as its store keeps it: its events, read at leisure, and what they add up to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from actorflow.runs.event_rows import Row, decode_row
from actorflow.runs.events import Record
from actorflow.runs.history import RunRecord, fold
from actorflow.runs.output import Origin, OutputRecord
from actorflow.runs.output_file import records_of
from actorflow.runs.values import ValueSource


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """A run to read.

    rows: opens its journal anew, and gives those after a seq. is_owned: whether a living process owns it right now.
    output: the lines in which its tasks' output is kept; called again, those that have come since. values: where its
    large values are, None if all stand in their rows.
    """

    run_id: str
    path: Path
    rows: Callable[[int], Iterator[Row]]
    is_owned: Callable[[], bool]
    output: Callable[[], Iterator[bytes]]
    values: ValueSource | None = None

    def records(self, first: int = 1) -> Iterator[Record]:
        """Every event on disk from `first` on, in order, with the chain verified on the way; raises JournalDamaged."""
        for seq, data in self.rows(first - 1):
            yield Record(seq, *decode_row(data, seq, self.values))

    def output_records(self, origin: Origin | None = None) -> Iterator[OutputRecord]:
        """What its tasks printed, or what `origin` did; called again, what has come since."""
        return records_of(self.output(), origin=origin)

    def history(self) -> RunRecord:
        """What became of it so far; raises JournalDamaged."""
        owned = self.is_owned()  # first: an owner that ends after this has written what it had to say
        return fold(self.run_id, self.records(), owned=owned)
