"""A task that holds up the loop, or the interpreter, is named while it does; each blocks until it has been."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import anyio
import pytest

from actorflow import OutputSettings, dag, task
from actorflow.compose import RunSettings, execute
from actorflow.executors.blocked import Names, culprit_at
from actorflow.flows.dag import Dag
from actorflow.flows.plan import make_plan
from actorflow.runs.executor import AttemptSpec
from actorflow.runs.output import OutputRecord
from actorflow.runs.output_file import OutputMemory, records_of
from actorflow.runs.output_log import OutputLog
from actorflow.runs.task_call import call_async, call_sync

Backend = Literal["asyncio", "trio"]
DEADLINE_S = 100.0

named = threading.Event()


class Listener:
    """Hears what the run says, and lets go of who waits to be named."""

    def __init__(self) -> None:
        self.warnings: list[OutputRecord] = []

    def __call__(self, records: Sequence[OutputRecord]) -> None:
        for record in records:
            if record.fields is not None and record.fields.logger == "actorflow":
                self.warnings.append(record)
                named.set()


@pytest.fixture
def listener() -> Listener:
    named.clear()
    return Listener()


@task
async def blocks(value: int) -> int:
    await anyio.lowlevel.checkpoint()
    if value == 1:
        assert named.wait(DEADLINE_S), "nobody noticed"
    return value


@task
def holds_the_interpreter() -> None:
    while not named.is_set():
        sum(range(60_000_000))  # one call into C, which lets nobody else run


@task
def items() -> list[int]:
    return [0, 1, 2]


@dag
def blocking() -> list[int]:
    return blocks.map(items())


@dag
def holding() -> None:
    return holds_the_interpreter()


def run(pipeline: Dag[..., object], folder: Path, listener: Listener, backend: Backend) -> None:
    async def main() -> None:
        plan = make_plan(pipeline.graph, pipeline.bind().params, executor="thread")
        settings = RunSettings(store=folder, output=OutputSettings(listener=listener))
        await execute(plan, pipeline, settings=settings)

    anyio.run(main, backend=backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_task_that_blocks_the_loop_is_named_with_the_line_it_stands_in(
    tmp_path: Path, listener: Listener, backend: Backend
) -> None:
    run(blocking, tmp_path, listener, backend)

    (warning,) = listener.warnings
    (text,) = warning.lines
    line = next(n for n, text in enumerate(Path(__file__).read_text().splitlines(), 1) if "named.wait" in text)
    assert (warning.origin.task, warning.origin.map_index, warning.origin.attempt) == ("blocks", 1, 1)
    assert text.startswith("blocks[1], attempt 1, has held up the loop for more than 250 ms, at ")
    assert f"test_blocked.py:{line} in blocks (threading.py:" in text
    assert text.endswith("; await there, or have the task run in a process")


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_task_in_a_thread_that_holds_the_interpreter_is_named(
    tmp_path: Path, listener: Listener, backend: Backend
) -> None:
    run(holding, tmp_path, listener, backend)

    (warning,) = listener.warnings
    assert warning.origin.task == "holds_the_interpreter"
    assert "has let nothing else in this process run for" in warning.lines[0]
    assert "test_blocked.py:" in warning.lines[0]


def attempt(number: int) -> AttemptSpec:
    return AttemptSpec(run_id="run", step="step", map_index=None, number=number, task="m:f", arguments={})


def test_an_attempt_is_named_once() -> None:
    sink = OutputMemory()
    log = OutputLog(sink)
    names = Names(log, call_sync.__code__)

    def body() -> None:
        names.loop_blocked(sys._getframe())

    for number in (1, 1, 2):
        call_sync(body, attempt(number))
    log.close()

    assert [record.origin.attempt for record in records_of(sink.lines())] == [1, 2]


def test_the_code_of_no_attempt_is_nobodys() -> None:
    log = OutputLog(OutputMemory())

    Names(log, call_async.__code__).loop_blocked(sys._getframe())

    assert culprit_at(sys._getframe()) is None
    assert log.is_silent
