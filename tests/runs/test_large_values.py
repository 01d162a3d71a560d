"""Large values: stored beside their rows, let go of in memory, read back with a digest checked, released in time."""

from __future__ import annotations

import hashlib
import os
import random
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from actorflow.actors.codec import Codec
from actorflow.runs.events import (
    AttemptFinished,
    AttemptStarted,
    Event,
    RecordedParam,
    RecordedTask,
    RunFinished,
    RunStarted,
    TaskFinished,
    TaskReady,
)
from actorflow.runs.executor import AttemptState, Cause
from actorflow.runs.journal import Journal
from actorflow.runs.large_values import LargeValues, Packing, ValueFiles, ValueOptions, packed, unpacked
from actorflow.runs.plain_json import plain_value
from actorflow.runs.states import RunStatus, TaskState
from actorflow.runs.store import SqliteStore
from actorflow.runs.store_errors import JournalDamaged, ValueReleased
from actorflow.runs.value_readers import ValueReaders
from actorflow.runs.values import VALUE_CODEC, Reference, Value
from actorflow.testing.stores import writing

SMALL = ValueOptions(max_inline_bytes=100, max_stored_bytes=1000)


def noise(size: int, seed: int = 1) -> bytes:
    """Bytes that no compression makes smaller."""
    return random.Random(seed).randbytes(size)


def store_in(folder: Path, options: ValueOptions = SMALL) -> SqliteStore:
    return SqliteStore(folder / "store", values=options)


def header(run_id: str, *tasks: RecordedTask, **params: object) -> RunStarted:
    given = {name: RecordedParam(Value.of(value), "-p") for name, value in params.items()}
    return RunStarted(run_id=run_id, dag="d", file="d.py", module="d", params=given, tasks=tasks)


def task(
    name: str, *upstream: str, mapped: str | None = None, elementwise: str | None = None, kept: bool = False
) -> RecordedTask:
    return RecordedTask(
        name=name,
        task=f"d:{name}",
        executor="async",
        upstream=upstream,
        mapped=mapped,
        elementwise=elementwise,
        kept=kept,
    )


def ended(
    name: str, value: Value | None, index: int | None = None, state: AttemptState = AttemptState.succeeded
) -> AttemptFinished:
    cause = Cause.ran if state is AttemptState.succeeded else Cause.error
    return AttemptFinished(task=name, map_index=index, attempt=1, state=state, cause=cause, value=value)


def lines(path: Path) -> list[tuple[int, int, bool]]:
    """(size, count of rows, in a file) of each large value of that journal."""
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.execute("SELECT size_bytes, refs, data IS NULL FROM large_values ORDER BY size_bytes"))


async def write(journal: Journal, *events: Event) -> None:
    async with writing(journal):
        for event in events:
            journal.append(event)


# -- where a value goes -----------------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize(("size", "kept"), [(20, []), (200, [False]), (5000, [True])])
async def test_a_value_is_kept_where_its_size_belongs_and_comes_back(
    size: int, kept: list[bool], tmp_path: Path
) -> None:
    store = store_in(tmp_path)
    value = Value.of(noise(size))
    await write(store.create_run("r1"), header("r1", task("a", kept=True)), ended("a", value))

    stored = store.open_run("r1")
    found = [record.event for record in stored.records()][-1]

    assert isinstance(found, AttemptFinished)
    assert found.value is not None
    assert found.value.get() == noise(size)
    assert [in_file for _, _, in_file in lines(stored.path)] == kept
    assert value.is_spilled == bool(kept)
    assert value.get() == noise(size)


@pytest.mark.anyio
async def test_equal_values_are_kept_once_and_counted(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    tasks = [task(name, kept=True) for name in "abc"]
    await write(store.create_run("r1"), header("r1", *tasks), *[ended(name, Value.of(noise(5000))) for name in "abc"])

    path = store.open_run("r1").path

    assert [(refs, in_file) for _, refs, in_file in lines(path)] == [(3, True)]
    assert len(os.listdir(path.with_suffix(".values"))) == 1


@pytest.mark.anyio
async def test_parameters_and_results_may_be_large_too(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    result = Value.of(noise(5000, 2))
    end = RunFinished(run_id="r1", status=RunStatus.succeeded, result=result)
    await write(store.create_run("r1"), header("r1", seed=noise(300)), end)

    record = store.open_run("r1").history()

    assert record.params["seed"].value.get() == noise(300)
    assert record.result is not None
    assert record.result.get() == noise(5000, 2)
    assert not result.is_spilled, "the run's result is asked for when its store may be gone"


@pytest.mark.anyio
async def test_a_value_of_another_run_is_stored_anew(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    value = Value.of(noise(5000))
    await write(store.create_run("r1"), header("r1", task("a", kept=True)), ended("a", value))
    await write(store.create_run("r2"), header("r2", task("a", kept=True)), ended("a", value))

    assert lines(store.open_run("r2").path) == lines(store.open_run("r1").path)


def test_what_compresses_is_compressed_and_comes_back_whole(tmp_path: Path) -> None:
    files = ValueFiles(tmp_path / "r1.sqlite")
    data = b"all the same " * 400_000

    packing = files.write(b"d" * 32, data)
    content = files.read(b"d" * 32)

    assert packing is Packing.lz4
    assert content is not None
    assert len(content) < len(data) // 20
    assert unpacked(content, packing, len(data)) == data
    assert packed(noise(1000))[0] is Packing.plain


def test_a_file_that_says_it_is_larger_than_its_row_says_is_refused_before_it_is_unpacked() -> None:
    _, bomb = packed(bytes(50_000_000))

    assert unpacked(bomb, Packing.lz4, 1000) is None


@pytest.mark.anyio
async def test_files_of_values_are_for_their_owner_only_whatever_the_umask(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        store = store_in(tmp_path)
        await write(store.create_run("r1"), header("r1", task("a", kept=True)), ended("a", Value.of(noise(5000))))
    finally:
        os.umask(umask)

    folder = store.root / "runs" / "r1.values"
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())]
    assert modes == [0o700, 0o600]


# -- memory -----------------------------------------------------------------------------------------------------------


def test_a_spilled_value_is_read_anew_and_not_kept(tmp_path: Path) -> None:
    class Source:
        reads = 0

        def read(self, reference: Reference) -> bytes:
            self.reads += 1
            return VALUE_CODEC.encode("x" * 50)

        def decoded(self, reference: Reference, codec: Codec) -> object:
            return VALUE_CODEC.decode(self.read(reference))

    source = Source()
    value = Value.of("x" * 50)
    size_bytes = value.size_bytes
    value.spill(Reference(b"", size_bytes), source)

    assert value.is_spilled
    assert [value.get(), value.get()] == ["x" * 50] * 2
    assert source.reads == 2
    assert value.is_spilled
    assert value.size_bytes == size_bytes
    assert value == Value.of("x" * 50)


@pytest.mark.anyio
async def test_a_constant_that_many_read_is_decoded_once(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    value = Value.of(noise(5000))
    await write(store.create_run("r1"), header("r1", task("a", kept=True)), ended("a", value))

    assert value.get() is value.get()


def test_recent_values_are_bounded_by_their_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actorflow.runs.large_values.RECENT_BYTES", 1000)
    values = LargeValues(tmp_path / "r1.sqlite")

    def read(reference: Reference) -> bytes:
        return VALUE_CODEC.encode(reference.seq)

    monkeypatch.setattr(values, "read", read)

    found = {seq: values.decoded(Reference(bytes([seq]), 400, seq), VALUE_CODEC) for seq in range(5)}

    assert found == {seq: seq for seq in range(5)}
    assert list(values._recent) == [bytes([3]), bytes([4])]


# -- damage -----------------------------------------------------------------------------------------------------------


async def damaged_run(folder: Path, size: int) -> tuple[SqliteStore, Path, bytes]:
    store = store_in(folder)
    value = Value.of(noise(size))
    digest = hashlib.sha256(value.data()).digest()
    await write(store.create_run("r1"), header("r1", task("a", kept=True)), ended("a", value))
    return store, store.open_run("r1").path, digest


@pytest.mark.anyio
async def test_a_flipped_bit_in_a_value_is_found_where_it_is_read_and_names_its_row(tmp_path: Path) -> None:
    store, path, digest = await damaged_run(tmp_path, 5000)
    file = ValueFiles(path).path(digest)
    content = bytearray(file.read_bytes())
    content[2500] ^= 1
    file.write_bytes(content)

    last = list(store.open_run("r1").records())[-1].event

    assert isinstance(last, AttemptFinished)
    assert last.value is not None
    with pytest.raises(JournalDamaged, match="damaged at row 2: the digest of its value") as caught:
        last.value.get()
    assert caught.value.seq == 2


@pytest.mark.anyio
@pytest.mark.parametrize("size", [300, 5000])
async def test_a_value_that_is_gone_is_told_by_its_row(size: int, tmp_path: Path) -> None:
    store, path, digest = await damaged_run(tmp_path, size)
    if size > 1000:
        ValueFiles(path).path(digest).unlink()
    else:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("UPDATE large_values SET data = NULL")
            connection.commit()

    last = list(store.open_run("r1").records())[-1].event

    assert isinstance(last, AttemptFinished)
    assert last.value is not None
    with pytest.raises(JournalDamaged, match=r"damaged at row 2: its value \w+ is gone"):
        last.value.get()


# -- release ----------------------------------------------------------------------------------------------------------


def big(seed: int = 1) -> Value:
    return Value.of(noise(5000, seed))


def is_large(value: Value) -> bool:
    return value.size_bytes > 100


def told(readers: ValueReaders, *events: Event) -> list[list[Value]]:
    return [readers.apply(event) for event in events]


def test_a_value_is_released_by_the_last_of_its_readers() -> None:
    value = big()
    readers = ValueReaders(is_large)
    readers.apply(header("r1", task("a"), task("b", "a"), task("c", "a")))

    found = told(
        readers,
        *(TaskReady(name) for name in "a"),
        ended("a", value),
        TaskReady("b"),
        TaskReady("c"),
        ended("b", None),
        ended("c", None),
    )

    assert found == [[], [], [], [], [], [value]]


@pytest.mark.parametrize("kept", [task("a", kept=True), task("a")], ids=["of the result", "without readers"])
def test_a_value_of_the_result_and_one_without_readers_stay(kept: RecordedTask) -> None:
    readers = ValueReaders(is_large)
    others = [task("b", "a")] if kept.kept else []
    readers.apply(header("r1", kept, *others))

    assert told(readers, TaskReady("a"), ended("a", big()), TaskReady("b"), ended("b", None)) == [[]] * 4


@pytest.mark.parametrize("state", [AttemptState.failed, AttemptState.cancelled])
def test_what_a_failed_task_read_stays_for_a_resume(state: AttemptState) -> None:
    value = big()
    readers = ValueReaders(is_large)
    readers.apply(header("r1", task("a"), task("b", "a")))

    assert told(readers, TaskReady("a"), ended("a", value), TaskReady("b"), ended("b", None, state=state)) == [[]] * 4
    assert readers.apply(ended("b", None)) == [value], "and goes once the resumed task has succeeded"


@pytest.mark.parametrize(
    ("state", "released"), [(TaskState.skipped, 1), (TaskState.failed, 0), (TaskState.upstream_failed, 0)]
)
def test_a_reader_that_ended_unstarted_has_read_if_it_was_skipped(state: TaskState, released: int) -> None:
    readers = ValueReaders(is_large)
    told(readers, header("r1", task("a"), task("b", "a")), TaskReady("a"), ended("a", big()))

    assert len(readers.apply(TaskFinished("b", None, state, Cause.condition))) == released


def test_element_by_element_each_value_goes_with_its_own_reader() -> None:
    values = [big(0), big(1)]
    readers = ValueReaders(is_large)
    tasks = [task("a", mapped="x"), task("b", "a", mapped="x", elementwise="a")]
    told(readers, header("r1", *tasks), TaskReady("a", 2), TaskReady("b", 2))

    found = told(readers, ended("a", values[0], 0), ended("b", None, 0), ended("a", values[1], 1), ended("b", None, 1))

    assert found == [[], [values[0]], [], [values[1]]]


def test_a_map_that_is_gathered_goes_as_a_whole() -> None:
    values = [big(0), big(1)]
    readers = ValueReaders(is_large)
    told(readers, header("r1", task("a", mapped="x"), task("b", "a")), TaskReady("a", 2))
    told(readers, *(ended("a", value, index) for index, value in enumerate(values)), TaskReady("b"))

    assert readers.apply(ended("b", None)) == values


def test_a_map_of_no_width_has_read_at_once() -> None:
    value = big()
    readers = ValueReaders(is_large)
    told(readers, header("r1", task("a"), task("b", "a", mapped="x")), TaskReady("a"), ended("a", value))

    assert readers.apply(TaskReady("b", 0)) == [value]


def test_small_values_are_never_told() -> None:
    readers = ValueReaders(is_large)
    told(readers, header("r1", task("a"), task("b", "a")), TaskReady("a"), ended("a", Value.of(1)), TaskReady("b"))

    assert readers.apply(ended("b", None)) == []


@pytest.mark.anyio
@pytest.mark.parametrize("keep_read", [False, True])
@pytest.mark.parametrize("size", [300, 5000])
async def test_a_released_value_is_gone_from_the_store_unless_it_is_to_stay(
    size: int, keep_read: bool, tmp_path: Path
) -> None:
    options = ValueOptions(max_inline_bytes=100, max_stored_bytes=1000, keep_read=keep_read)
    store = store_in(tmp_path, options)
    value = Value.of(noise(size))
    events: list[Event] = [header("r1", task("a"), task("b", "a")), TaskReady("a"), ended("a", value), TaskReady("b")]
    await write(store.create_run("r1"), *events, ended("b", None))

    stored = store.open_run("r1")
    found = next(record.event for record in stored.records() if record.seq == 3)
    assert isinstance(found, AttemptFinished)
    assert found.value is not None

    if keep_read:
        assert found.value.get() == noise(size)
        return
    assert lines(stored.path) == []
    assert not list(stored.path.with_suffix(".values").glob("*"))
    assert plain_value(found.value) == {"released_bytes": value.size_bytes}
    with pytest.raises(ValueReleased, match=r"the value of row 3, [0-9,]+ bytes, was released"):
        found.value.get()


@pytest.mark.anyio
async def test_of_equal_values_one_released_leaves_the_other(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    events: list[Event] = [
        header("r1", task("a"), task("b", "a"), task("c", kept=True)),
        TaskReady("a"),
        ended("a", big()),
    ]
    await write(store.create_run("r1"), *events, ended("c", big()), TaskReady("b"), ended("b", None))

    stored = store.open_run("r1")

    assert [refs for _, refs, _ in lines(stored.path)] == [1]
    found = next(record.event for record in stored.records() if record.seq == 4)
    assert isinstance(found, AttemptFinished)
    assert found.value == big()


@pytest.mark.anyio
async def test_a_reopened_run_knows_who_still_reads(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    first: list[Event] = [header("r1", task("a"), task("b", "a")), TaskReady("a"), ended("a", big()), TaskReady("b")]
    await write(store.create_run("r1"), *first, AttemptStarted("b", None, 1, "async"))
    path = store.open_run("r1").path
    assert len(lines(path)) == 1

    await write(store.reopen_run("r1"), ended("b", None))

    assert lines(path) == []


@pytest.mark.anyio
async def test_files_that_no_row_names_go_when_the_run_is_reopened(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    await write(store.create_run("r1"), header("r1", task("a", kept=True)), ended("a", big()))
    folder = store.root / "runs" / "r1.values"
    for name in ("00" * 32, "00.part"):
        (folder / name).write_bytes(b"left by an owner that was killed")

    await store.reopen_run("r1").close()

    assert [path.name for path in folder.iterdir()] == [hashlib.sha256(big().data()).hexdigest()]


def test_options_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="values are inline up to 10 bytes and stored up to 5"):
        ValueOptions(max_inline_bytes=10, max_stored_bytes=5)
