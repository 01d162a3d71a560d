"""Writes large values before the rows that name them, counts those, and removes a value with its last reader."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from actorflow.runs.event_rows import Keep
from actorflow.runs.large_values import LargeValues, Packed, Packing, ValueFiles, ValueOptions, packed
from actorflow.runs.values import Reference, Value

_INSERT = "INSERT INTO large_values VALUES (?, ?, ?, 1, ?) ON CONFLICT(digest) DO UPDATE SET refs = refs + 1"
_RELEASE = "UPDATE large_values SET refs = refs - 1 WHERE digest = ?"
_GONE = "DELETE FROM large_values WHERE refs <= 0 RETURNING digest, data IS NULL"


class LargeWriter:
    """For one journal file and its one writer; each method is called under the writer's lock.

    A group goes `begin`, a `keeper` for each row, `insert` and `release` inside the transaction, `settle`
    after it. One that failed begins anew: files that are there already are not written again.
    """

    def __init__(
        self, journal: Path, connection: sqlite3.Connection, values: LargeValues, options: ValueOptions
    ) -> None:
        self._connection = connection
        self._values = values
        self._options = options
        self._files = ValueFiles(journal)
        self._waiting: list[Packed] = []
        self._spilled: list[tuple[Value, Reference]] = []
        self._unlinked: list[bytes] = []

    @property
    def is_waiting(self) -> bool:
        """True if the group has large values, which need a transaction."""
        return bool(self._waiting)

    def begin(self) -> None:
        self._waiting.clear()
        self._spilled.clear()
        self._unlinked.clear()

    def keeper(self, seq: int) -> Keep:
        """What stands for a value in row `seq`. Raises OSError."""

        def keep(name: str, value: Value) -> object:
            if value.reference_in(self._values) is None and value.size_bytes <= self._options.max_inline_bytes:
                return value.data(name)
            reference = self._store(seq, value, name)
            self._spilled.append((value, reference))
            return [reference.digest, reference.size_bytes]

        return keep

    def insert(self) -> None:
        """The values of the group into the table, or one row more that names them."""
        for reference, packing, data in self._waiting:
            self._connection.execute(_INSERT, (reference.digest, reference.size_bytes, packing, data))

    def release(self, values: Sequence[Value]) -> None:
        """One reader less for each; what nobody reads is no longer in the table."""
        if not values:
            return
        digests = [(found.digest,) for value in values if (found := self._reference(value)) is not None]
        self._connection.executemany(_RELEASE, digests)
        self._unlinked = [digest for digest, in_file in self._connection.execute(_GONE) if in_file]

    def settle(self) -> None:
        """The transaction is on disk: values let go of what they hold, and files go that nothing names any more."""
        for value, reference in self._spilled:
            value.spill(reference, self._values)
        for digest in self._unlinked:
            self._files.remove(digest)
        self.begin()

    def clean_up(self) -> None:
        """Remove files that an earlier owner left without a row. Raises nothing: they are in nobody's way."""
        with suppress(OSError, sqlite3.Error):
            known = self._connection.execute("SELECT digest FROM large_values WHERE data IS NULL")
            self._files.remove_all_but({digest for (digest,) in known})

    def _reference(self, value: Value) -> Reference | None:
        """Of a value of this group too, which is not spilled before the group is on disk."""
        found = value.reference_in(self._values)
        if found is None:
            found = next((reference for spilled, reference in self._spilled if spilled is value), None)
        return found

    def _store(self, seq: int, value: Value, name: str) -> Reference:
        known = value.reference_in(self._values)
        if known is not None and self._is_kept(known):
            self._waiting.append(Packed(known, Packing.plain, None))  # only its count matters: the row is there
            return known
        data = value.data(name)
        reference = Reference(hashlib.sha256(data).digest(), len(data), seq)
        if len(data) <= self._options.max_stored_bytes:
            packing, content = packed(data)
            self._waiting.append(Packed(reference, packing, content))
        else:
            self._waiting.append(Packed(reference, self._files.write(reference.digest, data), None))
        return reference

    def _is_kept(self, reference: Reference) -> bool:
        found = self._connection.execute("SELECT 1 FROM large_values WHERE digest = ?", (reference.digest,))
        return found.fetchone() is not None
