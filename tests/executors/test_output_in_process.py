"""What tasks on the loop and in threads print: told apart by attempt where that was asked for, left alone where not."""

from __future__ import annotations

import logging
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import anyio
import pytest

import actorflow
from actorflow import OutputSettings, dag, task
from actorflow.compose import RunSettings, execute
from actorflow.flows.dag import Dag
from actorflow.flows.plan import make_plan
from actorflow.runs.output import Origin, OutputRecord, Stream
from actorflow.runs.output_file import output_path, records_of, remove_output
from actorflow.runs.store import MemoryStore, SqliteStore

Backend = Literal["asyncio", "trio"]
BACKENDS: tuple[Backend, ...] = ("asyncio", "trio")


@task
def items(count: int) -> list[int]:
    return list(range(count))


@task
def say(value: int) -> None:
    print(f"out {value}")
    print(f"err {value}", file=sys.stderr)
    logging.getLogger("shop").warning("log %d", value)


@task
async def say_in_turn(value: int) -> None:
    for number in range(3):
        print(f"{value}.{number}")
        await anyio.lowlevel.checkpoint()


@dag
def prints(count: int = 2) -> list[None]:
    return say.map(items(count))


@dag
def prints_in_turn(count: int = 20) -> list[None]:
    return say_in_turn.map(items(count))


@pytest.fixture(autouse=True)
def console() -> Iterator[None]:
    """The logger as a program without any configuration has it; the test runner puts a handler above."""
    shop = logging.getLogger("shop")
    assert logging.lastResort is not None
    shop.addHandler(logging.lastResort)
    shop.propagate = False
    yield
    shop.removeHandler(logging.lastResort)
    shop.propagate = True


def run(
    pipeline: Dag[..., object], folder: Path, backend: Backend, *, executor: str | None = None, capture: bool = True
) -> tuple[list[OutputRecord], list[OutputRecord]]:
    """What was kept, and what a listener was told."""
    told: list[OutputRecord] = []

    async def main() -> None:
        plan = make_plan(pipeline.graph, pipeline.bind().params, executor=executor)
        output = OutputSettings(listener=told.extend, capture_prints=capture)
        settings = RunSettings(store=folder, workers=1, output=output)
        await execute(plan, pipeline, settings=settings)

    anyio.run(main, backend=backend)
    return list(SqliteStore(folder).open_run("@last").output_records()), told


def lines(records: Sequence[OutputRecord], origin: Origin) -> list[tuple[Stream | None, str]]:
    return [(record.stream, line) for record in records if record.origin == origin for line in record.lines]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("executor", ["thread", "process"])
def test_prints_and_records_of_each_attempt_are_kept_and_told(tmp_path: Path, backend: Backend, executor: str) -> None:
    kept, told = run(prints, tmp_path, backend, executor=executor)

    for index in range(2):
        said = lines(kept, Origin("say", index, 1))
        assert sorted(said) == [
            (Stream.err, f"err {index}"),
            (Stream.log, f"log {index}"),
            (Stream.out, f"out {index}"),
        ]
    assert told == kept


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_inline_task_prints_as_ever_and_is_kept_too(
    tmp_path: Path, backend: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    kept, told = run(prints, tmp_path, backend, executor="inline")

    assert lines(kept, Origin("say", 1, 1)) == [(Stream.out, "out 1"), (Stream.err, "err 1"), (Stream.log, "log 1")]
    assert told == []
    shown = capsys.readouterr()
    assert shown.out == "out 0\nout 1\n"
    assert shown.err == "err 0\nlog 0\nerr 1\nlog 1\n"


@pytest.mark.parametrize("backend", BACKENDS)
def test_tasks_that_take_turns_on_the_loop_are_told_apart(tmp_path: Path, backend: Backend) -> None:
    kept, _ = run(prints_in_turn, tmp_path, backend)

    for index in range(20):
        said = [line for _, line in lines(kept, Origin("say_in_turn", index, 1))]
        assert said == [f"{index}.{number}" for number in range(3)]


def test_without_being_asked_nothing_stands_in_for_the_programs_streams(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sys.stdout

    kept, told = run(prints_in_turn, tmp_path, "asyncio", capture=False)

    assert sys.stdout is before
    assert (kept, told) == ([], [])
    assert len(capsys.readouterr().out.splitlines()) == 60


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_program_hears_workers_on_its_own_standard_error_and_through_its_loggers(
    tmp_path: Path, backend: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    result = actorflow.run(prints, store=tmp_path, executor="process", workers=1, backend=backend)

    shown = capsys.readouterr()
    assert result.value == [None, None]
    assert shown.out == ""
    assert sorted(shown.err.splitlines()) == ["err 0", "err 1", "log 0", "log 1", "out 0", "out 1"]


def test_the_streams_are_as_they_were_after_the_run(tmp_path: Path) -> None:
    handlers: Any = logging.StreamHandler  # its type is generic in a stream that does not matter here
    before = sys.stdout, sys.stderr, handlers.emit

    run(prints, tmp_path, "asyncio", executor="thread")

    assert (sys.stdout, sys.stderr, handlers.emit) == before


def test_the_file_lies_beside_the_journal_is_ours_alone_and_goes_with_the_run(tmp_path: Path) -> None:
    run(prints, tmp_path, "asyncio", executor="thread")
    journal = SqliteStore(tmp_path).open_run("@last").path
    file = output_path(journal)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [run.run_id for run in SqliteStore(tmp_path).runs()] == [journal.stem]
    remove_output(journal)
    assert not file.exists()


def test_a_run_that_prints_nothing_has_no_file(tmp_path: Path) -> None:
    kept, _ = run(prints, tmp_path, "asyncio", executor="thread", capture=False)

    assert kept == []
    assert list((tmp_path / "runs").glob("*.jsonl")) == []


def test_a_line_torn_by_the_end_of_its_writer_costs_that_line_only(tmp_path: Path) -> None:
    run(prints, tmp_path, "asyncio", executor="thread")
    stored = SqliteStore(tmp_path).open_run("@last")
    file = output_path(stored.path)
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])

    sink = SqliteStore(tmp_path).open_output(stored.run_id)
    sink.write(whole)
    sink.close()

    assert len(list(stored.output_records())) == 2 * whole.count(b"\n") - 1


def test_a_memory_store_keeps_the_output_of_its_runs() -> None:
    store = MemoryStore()
    store.create_run("run")
    line = b'{"task":"a","map_index":null,"attempt":1,"ts":1.0,"stream":"out","lines":["b"]}\n'

    store.open_output("run").write(line)

    assert [record.lines for record in store.open_run("run").output_records()] == [("b",)]
    assert list(records_of([line])) == list(store.open_run("run").output_records(Origin("a", None, 1)))
