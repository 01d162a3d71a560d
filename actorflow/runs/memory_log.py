"""A run's rows in memory: the stand-in for a file in tests and in runs that need not survive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from actorflow.runs.event_rows import Row
from actorflow.runs.tally import RunSummary


class MemoryLog:
    """The RunLog of a list. Survives nothing, and cannot fail."""

    blocks = False

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.path = Path(f"memory:{run_id}")
        self.owned = True
        self._rows: list[Row] = []

    @property
    def last_seq(self) -> int:
        return len(self._rows)

    def write(self, rows: Sequence[Row]) -> None:
        known = self.last_seq
        self._rows.extend(row for row in rows if row[0] > known)

    def rows(self) -> Iterator[Row]:
        return iter(tuple(self._rows))

    def close(self, summary: RunSummary | None) -> None:
        self.owned = False
