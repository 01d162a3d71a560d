"""What of a run's damaged journal can be trusted: its first rows, but for those whose values are lost.

A row that is not what was written makes all after it doubtful, so these go with it. A large value that is lost takes
only the rows with it that name it: then the task whose result it was looks like one that never ended.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Final, NamedTuple

from actorflow.runs.anchor import Anchor, AnchorDamaged, read_anchor
from actorflow.runs.chain import genesis, link
from actorflow.runs.event_rows import RowError, decode_row, values_of
from actorflow.runs.events import AttemptFinished, Event, RunFinished, TaskFinished
from actorflow.runs.executor import AttemptState
from actorflow.runs.journal_reader import JournalReader
from actorflow.runs.large_values import LargeValues
from actorflow.runs.run_check import LiveValues
from actorflow.runs.states import RunStatus, TaskState
from actorflow.runs.store_errors import JournalDamaged, StoreError, ValueReleased
from actorflow.runs.values import Reference

MENDED_FROM: Final = "mended_from"
"""In the meta of a journal that was made from another: the head that the anchor of that one tells, by which a salvage
that was cut short before it set the new anchor is known."""


class Kept(NamedTuple):
    """What stays of a journal.

    last_seq: of the last sound row. dropped: rows up to it that go, too. values: digests of the large values that stay,
    with how many rows name each. lost: labels of the instances whose results go.
    """

    last_seq: int
    dropped: frozenset[int]
    values: dict[bytes, int]
    lost: tuple[str, ...]


def kept_of(journal: Path) -> Kept:
    """What can be trusted. Raises JournalDamaged where nothing can."""
    last_seq = _last_sound(journal)
    if not last_seq:
        help = "take the file from a copy, or start the run anew"
        raise _refused(journal, "not even how the run began can be read", help)
    dropped: set[int] = set()
    while True:
        values, gone = _values_of_rows(journal, last_seq, dropped)
        if not gone:
            break
        if 1 in gone:
            raise _refused(journal, "the value of a parameter is lost", "take the file from a copy, or start anew")
        dropped |= gone
    lost = tuple(dict.fromkeys([*_labels_of(journal, dropped), *_labels_after(journal, last_seq)]))
    end = _succeeded_end(journal, last_seq)
    if end and (dropped - {end} or lost):
        dropped.add(end)  # it has not succeeded any more
    return Kept(last_seq, frozenset(dropped), values, lost)


def _last_sound(journal: Path) -> int:
    """The last row up to which all are as they were written. Raises JournalDamaged for those that were written anew."""
    anchor = anchor_of(journal)
    head, last_seq = genesis(journal.stem), 0
    for seq, data, digest in raw_rows(journal):
        try:
            follows = seq == last_seq + 1 and link(head, data) == digest
            if follows:
                decode_row(data, seq)
        except (TypeError, RowError):
            break
        if not follows:
            break
        head, last_seq = digest, seq
        is_other = anchor is not None and anchor.seq == seq and anchor.head != head.hex()
        if anchor is not None and is_other and anchor.head != _mended_from(journal):
            problem = f"the anchor says another digest of row {seq}: somebody wrote the rows anew"
            raise _refused(journal, problem, "take the file from a copy")
    return last_seq


def _values_of_rows(journal: Path, last_seq: int, dropped: set[int]) -> tuple[dict[bytes, int], set[int]]:
    """Large values that may still be read, with how many rows name each; and the rows that name one that is lost."""
    source = LargeValues(journal)
    live = LiveValues(source)
    naming: dict[bytes, list[int]] = {}
    for seq, event in _events(journal, last_seq, source):
        if seq in dropped:
            continue
        live.apply(event)
        for value in values_of(event):
            reference = value.reference_in(source)
            if reference is not None:
                naming.setdefault(reference.digest, []).append(seq)
    needed = [reference for reference, is_needed in live.references() if is_needed]
    readable = {one.digest: live.readers(one) for one in needed if _is_readable(source, one)}
    lost = {seq for one in needed if one.digest not in readable for seq in naming[one.digest]}
    return readable, lost


def _is_readable(source: LargeValues, reference: Reference) -> bool:
    try:
        source.read(reference)
    except (ValueReleased, JournalDamaged):
        return False
    return True


def _labels_of(journal: Path, seqs: set[int]) -> Iterator[str]:
    for seq, event in _events(journal, max(seqs, default=0), None):
        if seq in seqs:
            yield from _result_of(event)


def _labels_after(journal: Path, last_seq: int) -> Iterator[str]:
    """Whose results stand in what is damaged, as far as that can be read."""
    for seq, data, _ in raw_rows(journal, last_seq):
        with suppress(RowError, TypeError):
            yield from _result_of(decode_row(data, seq)[1])


def _result_of(event: Event) -> tuple[str, ...]:
    match event:
        case AttemptFinished(state=AttemptState.succeeded) | TaskFinished(state=TaskState.succeeded):
            return (event.task if event.map_index is None else f"{event.task}[{event.map_index}]",)
        case _:
            return ()


def _succeeded_end(journal: Path, last_seq: int) -> int:
    """`last_seq` where the run succeeded with it, else 0."""
    for _, event in _events(journal, last_seq, None, after=last_seq - 1):
        if isinstance(event, RunFinished) and event.status is RunStatus.succeeded:
            return last_seq
    return 0


def raw_rows(journal: Path, after: int = 0) -> Iterator[tuple[int, bytes, bytes]]:
    """Rows as they stand there, until SQLite cannot read on."""
    with suppress(StoreError), JournalReader(journal, is_ours=True):
        pass  # takes back what a power cut left half done
    with suppress(sqlite3.Error, ValueError), closing(connected(journal, "ro")) as connection:
        yield from connection.execute("SELECT seq, data, digest FROM events WHERE seq > ? ORDER BY seq", (after,))


def _events(journal: Path, last_seq: int, source: LargeValues | None, *, after: int = 0) -> Iterator[tuple[int, Event]]:
    for seq, data, _ in raw_rows(journal, after):
        if seq > last_seq:
            return
        yield seq, decode_row(data, seq, source)[1]


def _mended_from(journal: Path) -> str:
    """The head that the anchor told before a salvage that was cut short; "" where there was none."""
    with suppress(sqlite3.Error, ValueError, TypeError), closing(connected(journal, "ro")) as connection:
        return str(connection.execute("SELECT value FROM meta WHERE key = ?", (MENDED_FROM,)).fetchone()[0])
    return ""


def anchor_of(journal: Path) -> Anchor | None:
    """The run's anchor; None where there is none that can be read."""
    try:
        found = read_anchor(journal)
    except (AnchorDamaged, OSError):
        return None
    return found if found is not None and found.run_id == journal.stem else None


def connected(journal: Path, mode: str) -> sqlite3.Connection:
    """mode: `ro` or `rw`."""
    return sqlite3.connect(f"{journal.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None)


def _refused(journal: Path, problem: str, help: str) -> JournalDamaged:
    return JournalDamaged(journal, 1, problem, help=help)
