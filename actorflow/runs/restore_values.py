"""Restored values: small ones stay in memory, others are read from their rows when somebody asks for them."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from actorflow.runs.event_rows import RowError, decode_row, values_of
from actorflow.runs.large_values import LargeValues
from actorflow.runs.store_errors import JournalDamaged
from actorflow.runs.values import Reference, Value

MAX_KEPT_BYTES: Final = 512
"""What a reference and a reading of it would cost about as much as."""


class RowValues(LargeValues):
    """The values that stand in the rows of one run, to be read one by one. Safe between threads."""

    def __init__(self, journal: Path) -> None:
        super().__init__(journal)
        self._path = journal

    def lazily(self, seq: int, value: Value) -> Value:
        """The value of row `seq`, its bytes let go of where they are worth it; one in memory for good stays."""
        if value.is_spilled:
            return value
        data = value.data()
        if len(data) <= MAX_KEPT_BYTES:
            return value
        return Value.spilled(Reference(hashlib.sha256(data).digest(), len(data), seq), self)

    def read(self, reference: Reference) -> bytes:
        uri = f"{self._path.absolute().as_uri()}?mode=ro"
        try:
            with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
                row = connection.execute("SELECT data FROM events WHERE seq = ?", (reference.seq,)).fetchone()
            (value,) = values_of(decode_row(row[0], reference.seq)[1])
        except (sqlite3.DatabaseError, RowError, TypeError, ValueError) as exc:
            raise JournalDamaged(self._path, reference.seq, f"its value cannot be read: {exc}") from exc
        data = value.data()
        if hashlib.sha256(data).digest() != reference.digest:
            raise JournalDamaged(self._path, reference.seq, "the digest of its value does not fit")
        return data
