"""A run's site for a process executor under test, and a named pipe by which its tasks report."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest

from actorflow.actors.system import ActorSystem
from actorflow.executors.process import ProcessExecutor
from actorflow.runs.executor import AttemptSpec, Outcome, RunSite
from actorflow.runs.output_log import OutputLog
from actorflow.runs.values import Value
from actorflow_supervisors.recycling import Recycling
from tests.faults import process_tasks

MODULE = "tests.faults.process_tasks"
FILE = str(Path(__file__).with_name("process_tasks.py"))


Task = Callable[..., object] | str
"""A function of `process_tasks`, or the name of one of the module opened."""


@dataclass(frozen=True)
class Bench:
    """An open executor."""

    executor: ProcessExecutor
    module: str

    async def run(self, task: Task, /, **arguments: object) -> Outcome:
        """Execute one attempt without limits."""
        return await self.attempt(task, arguments)

    async def attempt(
        self,
        task: Task,
        arguments: Mapping[str, object],
        *,
        timeout_s: float | None = None,
        memory_bytes: int | None = None,
        map_index: int | None = None,
    ) -> Outcome:
        """Execute one attempt."""
        name = task if isinstance(task, str) else f"{MODULE}:{task.__name__}"
        return await self.executor.execute(
            AttemptSpec(
                run_id="run",
                step="step",
                map_index=map_index,
                number=1,
                task=name if ":" in name else f"{self.module}:{name}",
                arguments={
                    key: value if isinstance(value, Value) else Value.of(value) for key, value in arguments.items()
                },
                timeout_s=timeout_s,
                memory_bytes=memory_bytes,
            )
        )


@asynccontextmanager
async def bench(
    workers: int = 1,
    *,
    grace_s: float = 60.0,
    module: str = MODULE,
    file: str = FILE,
    output: OutputLog | None = None,
    backstop: bool = True,
    recycling: Recycling | None = None,
) -> AsyncGenerator[Bench]:
    """An executor, open in an actor system of its own."""
    executor = ProcessExecutor(workers, grace_s=grace_s, backstop=backstop, recycling=recycling)
    async with ActorSystem() as system:
        site = RunSite(run_id="run", module=module, file=file, spawn=system.spawn, output=output)
        async with executor.opened(site):
            yield Bench(executor, module)


class Pipe:
    """A named pipe that tasks write lines to."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = str(path)
        self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)

    async def line(self) -> str:
        """The next line."""
        said = b""
        while not said.endswith(b"\n"):
            await anyio.wait_readable(self._descriptor)
            said += os.read(self._descriptor, 1)
        return said.decode().strip()

    def say(self, text: object) -> None:
        os.write(self._descriptor, f"{text}\n".encode())

    def close(self) -> None:
        os.close(self._descriptor)


@pytest.fixture
def pipe(tmp_path: Path, leak_audit: None) -> Generator[Pipe]:
    made = Pipe(tmp_path / "pipe")
    yield made
    made.close()


__all__ = ["FILE", "MODULE", "Bench", "Pipe", "bench", "pipe", "process_tasks"]
