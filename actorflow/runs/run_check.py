"""Checks one stored run from the first row to the last value: is everything there, and as it was written?

What is looked at: the chain and its stored head, the anchor, the digest of the whole file where the run was closed,
SQLite's own structures where it was not, and every large value that the rows name and that nobody has released.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from actorflow.runs.event_rows import RowError, decode_row, may_name_large_value, require_row, values_of
from actorflow.runs.events import AttemptStarted, Event
from actorflow.runs.journal_reader import JournalReader
from actorflow.runs.large_values import LargeValues
from actorflow.runs.store_errors import JournalDamaged, StoreError, ValueReleased
from actorflow.runs.value_readers import ValueReaders
from actorflow.runs.values import Reference, Value


class Problem(NamedTuple):
    """Something that is not as it was written. seq: of the first row it concerns, None where it concerns no row."""

    seq: int | None
    what: str


@dataclass(slots=True, kw_only=True)
class RunCheck:
    """What was found.

    rows: sound ones from the first on. values: large ones, sound. released: those that are gone, as they may be. owned:
    its owner was at work meanwhile, so that a value may have been released since the rows were read.
    """

    run_id: str
    path: Path
    rows: int = 0
    values: int = 0
    released: int = 0
    size_bytes: int = 0
    owned: bool = False
    problems: list[Problem] = field(default_factory=list[Problem])

    @property
    def is_sound(self) -> bool:
        return not self.problems

    def to_json(self) -> dict[str, object]:
        return {
            "run_id": self.run_id,
            "sound": self.is_sound,
            "rows": self.rows,
            "values": self.values,
            "released": self.released,
            "size_bytes": self.size_bytes,
            "running": self.owned,
            "problems": [{"seq": problem.seq, "what": problem.what} for problem in self.problems],
        }


def check_run(path: Path, is_owned: Callable[[], bool]) -> RunCheck:
    """Check the run with that journal; damage is told, not raised."""
    check = RunCheck(run_id=path.stem, path=path)
    try:
        check.owned = is_owned()
        with JournalReader(path) as reader:
            _check_anchor(reader, check)
            _check_rows(reader, check)
            _ = reader.summary
    except JournalDamaged as exc:
        check.problems.append(Problem(exc.seq, exc.problem.partition(": ")[2]))
    except StoreError as exc:
        check.problems.append(Problem(None, exc.problem))
    check.size_bytes = _size(path)
    return check


def _check_anchor(reader: JournalReader, check: RunCheck) -> None:
    if reader.anchor is None:
        if reader.is_anchored:
            check.problems.append(Problem(None, reader.anchor_problem or "its anchor is gone"))
    elif reader.anchor.run_id != reader.run_id:
        check.problems.append(Problem(None, f"its anchor is that of run {reader.anchor.run_id}"))
    elif reader.anchor.file_digest and not check.owned:
        _check_file(reader.path, reader.anchor.file_digest, check)
        return
    _check_structure(reader.path, check)


def _check_file(path: Path, digest: str, check: RunCheck) -> None:
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != digest:
            check.problems.append(Problem(None, "the file is not as it was when the run was closed"))
    for suffix in ("-wal", "-journal"):
        beside = path.with_name(path.name + suffix)
        if beside.exists() and beside.stat().st_size:
            check.problems.append(Problem(None, f"{beside.name} stands beside a closed journal"))


def _check_structure(path: Path, check: RunCheck) -> None:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            found = [str(line[0]) for line in connection.execute("PRAGMA quick_check(3)")]
    except sqlite3.Error as exc:
        found = [str(exc)]
    check.problems += [Problem(None, f"SQLite: {line}") for line in found if line != "ok"]


def _check_rows(reader: JournalReader, check: RunCheck) -> None:
    """Events are dear, so none is made before the first row that names a large value; most runs have no such row."""
    values = LargeValues(reader.path)
    live: LiveValues | None = None
    for seq, data in reader.rows():
        try:
            if live is None and may_name_large_value(data):
                live = _live_before(reader, values, seq)
            if live is None:
                require_row(data)
            else:
                live.apply(decode_row(data, seq, values)[1])
        except RowError as exc:
            raise JournalDamaged(reader.path, seq, str(exc)) from exc
        check.rows = seq
    for reference, needed in () if live is None else live.references():
        _check_value(values, reference, check, needed=needed and not check.owned)


def _live_before(reader: JournalReader, values: LargeValues, before: int) -> LiveValues:
    live = LiveValues(values)
    for seq, data in reader.rows():
        if seq == before:
            break
        live.apply(decode_row(data, seq, values)[1])
    return live


def _check_value(values: LargeValues, reference: Reference, check: RunCheck, *, needed: bool) -> None:
    try:
        values.read(reference)
        check.values += 1
    except ValueReleased:
        if needed:
            check.problems.append(Problem(reference.seq, f"its value {reference.digest.hex()[:12]} is gone"))
        check.released += 1
    except JournalDamaged as exc:
        check.problems.append(Problem(exc.seq, exc.problem.partition(": ")[2]))


class LiveValues:
    """Which large values somebody may still read, by the fold that the owner released them by."""

    def __init__(self, values: LargeValues) -> None:
        self._values = values
        self._readers = ValueReaders(lambda value: value.is_spilled)
        self._first: dict[bytes, Reference] = {}
        self._live: Counter[bytes] = Counter()

    def apply(self, event: Event) -> None:
        if type(event) is AttemptStarted:  # half of all, and neither names a value nor lets one go
            return
        for value in values_of(event):
            reference = value.reference_in(self._values)
            if reference is not None:
                self._first.setdefault(reference.digest, reference)
                self._live[reference.digest] += 1
        for value in self._readers.apply(event):
            self._release(value)

    def _release(self, value: Value) -> None:
        reference = value.reference_in(self._values)
        if reference is not None:
            self._live[reference.digest] -= 1

    def references(self) -> list[tuple[Reference, bool]]:
        """Every large value with whether it must be there, in the order of the rows that name them first."""
        found = sorted(self._first.values(), key=lambda reference: reference.seq)
        return [(reference, self.readers(reference) > 0) for reference in found]

    def readers(self, reference: Reference) -> int:
        """How many rows name it whose value nobody has released."""
        return self._live[reference.digest]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
