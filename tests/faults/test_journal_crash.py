"""F9 and F10: no acknowledged row is lost, whatever a power cut leaves of what was not synced, whatever write fails.

A real journal with small and large values, anchors and checkpoints writes to a disk that logs every operation; from the
log any number of disks is made that a power cut at any moment could have left, and each is read back.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from actorflow.runs.event_rows import decode_row, encode_row
from actorflow.runs.events import AttemptFinished, Event, RunStarted
from actorflow.runs.executor import AttemptState, Cause
from actorflow.runs.journal_file import JournalFile
from actorflow.runs.journal_reader import JournalReader
from actorflow.runs.large_values import LargeValues, ValueOptions
from actorflow.runs.run_log import LargeRow
from actorflow.runs.store_errors import StoreError
from actorflow.runs.tally import RunSummary
from actorflow.runs.values import Value
from tests.faults.disk_model import DiskModel, Operation
from tests.faults.leaks import leak_audit as leak_audit
from tests.faults.logged_disk import Log, logged

pytestmark = pytest.mark.usefixtures("leak_audit")

OPTIONS = ValueOptions(max_inline_bytes=200, max_stored_bytes=1500, keep_read=True)
SIZES = (20, 150, 700, 1200, 3000, 9000)
SUMMARY = RunSummary(run_id="r1")


def event_of(seq: int) -> Event:
    """Event `seq` of the run, told by its number alone; the first is its header."""
    if seq == 1:
        return RunStarted(run_id="r1", dag="d", file="d.py", module="d")
    rng = random.Random(seq)
    value = Value.of(rng.randbytes(rng.choice(SIZES)))
    return AttemptFinished(
        task="a", map_index=seq, attempt=1, state=AttemptState.succeeded, cause=Cause.ran, value=value
    )


def row_of(seq: int) -> tuple[int, bytes] | LargeRow:
    event = event_of(seq)
    large = isinstance(event, AttemptFinished) and event.value is not None and event.value.size_bytes > 200
    return LargeRow(seq, float(seq), event) if large else (seq, encode_row(float(seq), event))


def write_run(path: Path, log: Log, acknowledged: list[tuple[int, int]], groups: int = 40) -> None:
    """Write the run, and note after how many operations which row was acknowledged."""
    rng = random.Random(3)
    journal = JournalFile.create(path, "r1", options=OPTIONS)
    last = 0
    try:
        for number in range(groups):
            count = rng.randrange(1, 6)
            journal.write([row_of(seq) for seq in range(last + 1, last + count + 1)])
            last += count
            acknowledged.append((len(log.operations), last))
            if number % 7 == 6:
                journal.anchor(SUMMARY)
        journal.close(SUMMARY)
    except StoreError:
        journal.close(None)
        raise


def rows_in(path: Path) -> int:
    """How many rows can be read, each as it was written, its value included; raises StoreError for damage."""
    values = LargeValues(path)
    count = 0
    with JournalReader(path) as reader:
        for seq, data in reader.rows():
            ts, event = decode_row(data, seq, values)
            assert (ts, event) == (float(seq), event_of(seq))
            count = seq
    return count


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Log]:
    (tmp_path / "disk").mkdir()
    yield from logged(tmp_path / "disk", monkeypatch, synchronous=getattr(request, "param", "FULL"))


def images_that_lost(log: Log, acknowledged: list[tuple[int, int]], folder: Path, count: int) -> tuple[int, list[str]]:
    """Make `count` images, at moments spread over the whole log; how many had acknowledged rows, and what was lost."""
    rng = random.Random(20261121)
    moments = sorted(rng.randrange(len(log.operations) + 1) for _ in range(count))
    model, done, lost, telling = DiskModel(), 0, list[str](), 0
    for moment in moments:
        for operation in log.operations[done:moment]:
            model.apply(operation)
        done = moment
        expected = max((seq for at, seq in acknowledged if at <= moment), default=0)
        telling += expected > 0
        try:
            found = rows_of_image(model.image(rng), folder)
        except StoreError as exc:
            found = -1 if expected else 0
            trouble = str(exc)
        else:
            trouble = f"{found} rows"
        if found < expected:
            lost.append(f"after operation {moment}, {expected} rows acknowledged: {trouble}")
    return telling, lost


def rows_of_image(image: dict[str, bytes], folder: Path) -> int:
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in image.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return rows_in(folder / "r1.sqlite") if "r1.sqlite" in image else 0


def explore(log: Log, tmp_path: Path, count: int) -> tuple[int, list[str]]:
    acknowledged: list[tuple[int, int]] = []
    write_run(tmp_path / "disk" / "r1.sqlite", log, acknowledged)
    return images_that_lost(log, acknowledged, tmp_path / "image", count)


def test_no_power_cut_loses_an_acknowledged_row(log: Log, tmp_path: Path, scale: int) -> None:
    telling, lost = explore(log, tmp_path, 300 * scale)

    assert lost == []
    assert telling > 200 * scale


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_no_power_cut_of_many_loses_an_acknowledged_row(log: Log, tmp_path: Path, scale: int) -> None:
    count = 5_000 * scale

    telling, lost = explore(log, tmp_path, count)

    print(f"{count} power cuts; {len(lost)} lost acknowledged results")
    assert lost == []
    assert telling > 3_000 * scale


@pytest.mark.parametrize("log", ["NORMAL"], indirect=True)
def test_the_explorer_finds_what_a_journal_without_full_sync_loses(log: Log, tmp_path: Path) -> None:
    _, lost = explore(log, tmp_path, 200)

    assert len(lost) > 20


def test_a_journal_that_was_closed_survives_any_power_cut_after_it(log: Log, tmp_path: Path) -> None:
    acknowledged: list[tuple[int, int]] = []
    write_run(tmp_path / "disk" / "r1.sqlite", log, acknowledged)
    model, rng = DiskModel(), random.Random(1)
    for operation in log.operations:
        model.apply(operation)

    found = {rows_of_image(model.image(rng), tmp_path / "image") for _ in range(30)}

    assert found == {acknowledged[-1][1]}


# -- the N-th operation fails -----------------------------------------------------------------------------------------


def is_chosen(number: int, lasting: bool, asked: int, _: Operation) -> bool:
    return asked == number or (lasting and asked > number)


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
def test_whatever_operation_fails_no_acknowledged_row_is_lost(log: Log, tmp_path: Path, lasting: bool) -> None:
    """F10. Every fifth operation of a short run is made to fail, another one in each of the two cases."""
    write_run(tmp_path / "disk" / "r1.sqlite", log, [], groups=8)
    total = log.asked
    failed = 0
    for number in range(1 + lasting, total, 5):
        shutil.rmtree(tmp_path / "disk")
        (tmp_path / "disk").mkdir()
        log.operations.clear()
        log.asked = log.failed = 0
        log.fails = partial(is_chosen, number, lasting)
        acknowledged: list[tuple[int, int]] = [(0, 0)]
        path = tmp_path / "disk" / "r1.sqlite"
        try:
            write_run(path, log, acknowledged, groups=8)
        except StoreError:
            failed += 1
        log.fails = partial(is_chosen, -1, False)
        rows = rows_in(path) if path.exists() and acknowledged[-1][1] else 0
        assert rows >= acknowledged[-1][1], f"operation {number} of {total} failed"

    assert failed > total // 100
    assert os.listdir(tmp_path / "disk")
