"""A run's rows in memory: the stand-in for a file in tests and in runs that need not survive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

from actorflow.runs.event_rows import Row
from actorflow.runs.run_log import LargeRow
from actorflow.runs.tally import RunSummary
from actorflow.runs.values import Value


class MemoryLog:
    """The RunLog of a list. Survives nothing, and cannot fail; a value of any size stands in its row."""

    blocks = False
    max_inline_bytes: int | None = None
    keeps_read = True
    values = None

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.path = Path(f"memory:{run_id}")
        self.owned = True
        self._rows: list[Row] = []

    @property
    def last_seq(self) -> int:
        return len(self._rows)

    def write(self, rows: Sequence[Row | LargeRow], released: Sequence[Value] = ()) -> None:
        known = self.last_seq
        self._rows.extend(row for row in cast("Sequence[Row]", rows) if row[0] > known)

    def rows(self) -> Iterator[Row]:
        return iter(tuple(self._rows))

    def rows_after(self, seq: int) -> Iterator[Row]:
        return iter(tuple(self._rows[max(seq, 0) :]))

    def announce(self, summary: RunSummary) -> None:
        pass

    def anchor(self, summary: RunSummary) -> None:
        pass

    def close(self, summary: RunSummary | None) -> None:
        self.owned = False
