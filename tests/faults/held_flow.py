"""A run whose tasks say when they are at work and wait until they are let go: a test kills exactly what it means to."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from actorflow.runs.events import AttemptFinished, AttemptStarted, Record
from actorflow.runs.executor import AttemptState
from actorflow.runs.history import RunRecord
from actorflow.runs.states import RunStatus, TaskState
from actorflow.runs.store import SqliteStore
from tests.cli.shell import environment

INSTANCES = 12

FLOW = f"""
import os
from actorflow import dag, task

def tell(path, text):
    line = os.open(path, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    os.write(line, f"{{text}}\\n".encode())
    os.close(line)

@task
def hold(n: int) -> int:
    tell("effects", n)
    tell("pipe", f"{{n}} {{os.getpid()}}")
    with open(f"go-{{n}}") as gate:
        gate.readline()
    return 2 * n

@task
async def total(numbers: list[int]) -> int:
    return sum(numbers)

@dag
def held() -> int:
    return total(hold.map(list(range({INSTANCES}))))
"""
RESULT = sum(2 * n for n in range(INSTANCES))
HANG_S = 60.0
"""Only a hang takes longer."""


class Held:
    """One such run in a folder of its own. killed: how often each instance lost its worker."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.options = options
        self.killed: Counter[int] = Counter()
        self.gates: dict[int, int] = {}
        (folder / "held.py").write_text(FLOW)
        os.mkfifo(folder / "pipe")
        self._pipe = os.open(folder / "pipe", os.O_RDWR | os.O_NONBLOCK)
        for number in range(INSTANCES):
            os.mkfifo(folder / f"go-{number}")
            self.gates[number] = os.open(folder / f"go-{number}", os.O_RDWR | os.O_NONBLOCK)
        self._said = b""

    @contextmanager
    def going(self, command: str) -> Generator[subprocess.Popen[bytes]]:
        """`run`, or `resume`; killed should the test fail half way."""
        words = ["run", "held.py"] if command == "run" else ["resume", "@last"]
        with (self.folder / "errors").open("ab") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "actorflow", *words, "--store", "store", "--json", *self.options],
                cwd=self.folder,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
        with process:
            try:
                yield process
            finally:
                process.kill()

    def next(self, process: subprocess.Popen[bytes]) -> tuple[int, int] | None:
        """The instance that is at work next and the pid of its worker; None once the command has ended."""
        ended = os.pidfd_open(process.pid)
        try:
            while b"\n" not in self._said:
                ready, _, _ = select.select([self._pipe, ended], [], [], HANG_S)
                assert ready, (self.folder / "errors").read_text()
                if self._pipe not in ready:
                    return None
                self._said += os.read(self._pipe, 4096)
        finally:
            os.close(ended)
        line, _, self._said = self._said.partition(b"\n")
        number, pid = line.split()
        return int(number), int(pid)

    def forget(self) -> None:
        """What was said, and let go, by processes that are gone."""
        self._said = b""
        for descriptor in (self._pipe, *self.gates.values()):
            with contextlib.suppress(BlockingIOError):
                os.read(descriptor, 4096)

    def let_go(self, number: int) -> None:
        os.write(self.gates[number], b"go\n")

    def close(self) -> None:
        for descriptor in (self._pipe, *self.gates.values()):
            os.close(descriptor)

    def effects(self) -> list[int]:
        """The instances whose bodies began, in order."""
        return [int(line) for line in (self.folder / "effects").read_text().split()]

    def records(self) -> list[Record]:
        return list(SqliteStore(self.folder / "store").open_run("@last").records())

    def history(self) -> RunRecord:
        return SqliteStore(self.folder / "store").open_run("@last").history()

    def committed(self) -> set[int]:
        """The instances whose result is on disk."""
        return {index for event in self.commits() if (index := event.map_index) is not None}

    def commits(self) -> list[AttemptFinished]:
        events = [record.event for record in self.records()]
        return [e for e in events if isinstance(e, AttemptFinished) and e.state is AttemptState.succeeded]

    def check(self) -> None:
        """It ended as if nobody had been killed, and each kill cost the attempt that it hit and no other."""
        history, effects = self.history(), Counter(self.effects())
        assert history.status is RunStatus.succeeded, (self.folder / "errors").read_text()
        assert history.result is not None
        assert history.result.get() == RESULT
        assert [task.state for task in history.tasks] == [TaskState.succeeded] * (INSTANCES + 1)
        assert Counter(event.map_index for event in self.commits()) == dict.fromkeys([*range(INSTANCES), None], 1)
        starts = [record.event for record in self.records() if isinstance(record.event, AttemptStarted)]
        for number in range(INSTANCES):
            assert effects[number] == 1 + self.killed[number]
            numbers = [event.attempt for event in starts if event.task == "hold" and event.map_index == number]
            assert numbers == list(range(1, len(numbers) + 1))
            assert len(numbers) >= effects[number]


@contextmanager
def held(folder: Path, *options: str) -> Generator[Held]:
    made = Held(folder, *options)
    try:
        yield made
    finally:
        made.close()


def wait_until_gone(pids: list[int]) -> None:
    """Until none of them runs any more; fails should one never end."""
    for pid in pids:
        try:
            ending = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        ready, _, _ = select.select([ending], [], [], HANG_S)
        os.close(ending)
        assert ready, f"process {pid} goes on"
