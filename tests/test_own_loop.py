"""The loop that a run gets: uvloop where it is installed and not refused, asyncio's own otherwise, and trio by name."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import anyio
import pytest

import actorflow
from actorflow import RunStatus, dag, task
from actorflow.own_loop import Backend, LoopKind, chosen_loop, run_in_own_loop, running_loop
from actorflow.runs.events import Record, RunStarted


@task
async def kind_of_loop() -> str:
    return f"{type(asyncio.get_running_loop()).__module__}"


@dag
def one() -> str:
    return kind_of_loop()


@task
async def listed(count: int) -> list[int]:
    return list(range(count))


@task
async def doubled(value: int) -> int:
    return 2 * value


@task
def summed(values: list[int]) -> int:
    return sum(values)


@dag
def both_kinds(count: int) -> int:
    return summed(doubled.map(listed(count)))


@pytest.mark.parametrize(
    ("variable", "backend", "chosen"),
    [
        (None, "asyncio", "uvloop"),
        ("", "asyncio", "uvloop"),
        ("1", "asyncio", "uvloop"),
        ("0", "asyncio", "asyncio"),
        ("no", "asyncio", "asyncio"),
        (" Off ", "asyncio", "asyncio"),
        ("false", "asyncio", "asyncio"),
        (None, "trio", "trio"),
        ("1", "trio", "trio"),
    ],
)
def test_a_run_is_on_uvloop_unless_it_is_refused(
    variable: str | None, backend: Backend, chosen: LoopKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    _set(monkeypatch, variable)

    async def look() -> LoopKind:
        return running_loop()

    assert chosen_loop(backend) == chosen
    assert run_in_own_loop(look, backend=backend) == chosen


def test_without_a_uvloop_that_loads_a_run_is_on_asyncios_own_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, None)
    monkeypatch.setitem(sys.modules, "uvloop", None)

    assert chosen_loop("asyncio") == "asyncio"
    assert run_in_own_loop(_module_of_the_loop, backend="asyncio").startswith("asyncio")


@pytest.mark.parametrize(("variable", "kind"), [("1", "uvloop"), ("0", "asyncio")])
def test_the_tasks_and_the_journal_say_which_loop_it_was(
    variable: str, kind: LoopKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _set(monkeypatch, variable)
    started: list[str] = []

    result = actorflow.run(one, store=tmp_path, on_records=_loops_into(started))

    assert result.value.partition(".")[0] == kind
    assert started == [kind]


@pytest.mark.parametrize("variable", ["1", "0"])
def test_async_tasks_and_worker_processes_give_the_same_on_either_loop(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _set(monkeypatch, variable)

    result = actorflow.run(both_kinds.bind(count=300), store=tmp_path, workers=2)

    assert result.status is RunStatus.succeeded
    assert result.value == 300 * 299


def test_inside_a_program_on_uvloop_a_run_uses_that_loop(tmp_path: Path) -> None:
    started: list[str] = []

    async def main() -> None:
        await actorflow.run_async(one, store=tmp_path, on_records=_loops_into(started))

    anyio.run(main, backend="asyncio", backend_options={"use_uvloop": True})

    assert started == ["uvloop"]


async def _module_of_the_loop() -> str:
    return type(asyncio.get_running_loop()).__module__


def _loops_into(started: list[str]) -> Callable[[Sequence[Record]], None]:
    def observe(records: Sequence[Record]) -> None:
        started.extend(record.event.loop for record in records if isinstance(record.event, RunStarted))

    return observe


def _set(monkeypatch: pytest.MonkeyPatch, variable: str | None) -> None:
    if variable is None:
        monkeypatch.delenv("ACTORFLOW_UVLOOP", raising=False)
    else:
        monkeypatch.setenv("ACTORFLOW_UVLOOP", variable)


@pytest.mark.parametrize("first", [gc.get_threshold()[0], 5, 50_000])
def test_python_looks_for_cycles_seldomer_meanwhile_unless_the_program_has_said_how_often(first: int) -> None:
    at_first = gc.get_threshold()
    before = (first, *at_first[1:])

    async def threshold() -> int:
        return gc.get_threshold()[0]

    gc.set_threshold(*before)
    try:
        during = run_in_own_loop(threshold, backend="asyncio")
        after = gc.get_threshold()
    finally:
        gc.set_threshold(*at_first)

    assert during == (20_000 if first == at_first[0] else first)
    assert after == before
