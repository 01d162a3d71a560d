"""The real `actorflow` as a user's shell would start it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

Event = dict[str, Any]

_LEFT_OUT = ("NO_COLOR", "FORCE_COLOR", "TERM", "ACTORFLOW_STORE", "COLUMNS", "PYTHONPATH")
DEADLINE_S = 100


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def answer(self) -> Any:
        """stdout as one JSON value."""
        return json.loads(self.out)

    @property
    def events(self) -> list[Event]:
        """stdout as NDJSON."""
        return [json.loads(line) for line in self.out.splitlines()]


def environment(**more: str) -> dict[str, str]:
    """Ours without what would change how the command looks."""
    return {name: value for name, value in os.environ.items() if name not in _LEFT_OUT} | more


def actorflow(*arguments: str, cwd: Path, env: Mapping[str, str] | None = None, typed: str = "") -> Ended:
    """Run one command to its end; `typed` is its stdin."""
    done = subprocess.run(
        [sys.executable, "-m", "actorflow", *arguments],
        cwd=cwd,
        env=environment(**(env or {})),
        input=typed,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


class Going:
    """A command with --json that is still going; its events are read one by one."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.seen: list[Event] = []

    def until(self, type: str, **fields: object) -> Event:
        """The next event of that type with those fields; fails if the stream ends before it."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event = cast("Event", json.loads(line))
            self.seen.append(event)
            if event["type"] == type and all(event[name] == value for name, value in fields.items()):
                return event
        raise AssertionError(f"the stream ended without {type} {fields}: {self.seen[-3:]} {self.errors()}")

    def errors(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def end(self) -> Ended:
        """Wait for the end; `out` is what was not read yet."""
        out, err = self.process.communicate(timeout=DEADLINE_S)
        self.seen += [json.loads(line) for line in out.splitlines()]
        return Ended(self.process.returncode, out, err)


@contextmanager
def going(*arguments: str, cwd: Path) -> Generator[Going]:
    """Start a command with --json; it is killed should the test fail half way."""
    process = subprocess.Popen(
        [sys.executable, "-m", "actorflow", *arguments, "--json"],
        cwd=cwd,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield Going(process)
        finally:
            process.kill()


def is_alive(pid: int) -> bool:
    """True if a process of that number runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
