"""How soon a run that was killed half way starts something again; JSON on stdout.

    python -m bench.resume [--shape chain_1000 fan_1000 fan_100000 ...] [--repeat 3]

A run of `async` tasks kills its own process in the middle. A fresh process then resumes it, and its first body tells
when it begins. `start_s` is from the start of that process, `resume_s` from the call of `actorflow.resume`; the
difference is Python and imports. `cpu_s` is what the process had computed by then, `rss_mib` the most that it had
taken. `read_s` is the limit beside it: reading every row of the journal and hashing the chain, nothing else.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

MEANT: Final = {"chain_1000": 0.5, "fan_1000": 0.5, "fan_100000": 2.0}
"""Seconds to the first start, as the project promises itself."""

Body = Callable[[int], None]
body: Body = lambda number: None  # noqa: E731 - set by each child


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--shape", nargs="+", choices=sorted(MEANT), default=list(MEANT))
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--child", nargs=3, metavar=("WHAT", "SHAPE", "STORE"))
    asked = parser.parse_args()
    if asked.child:
        what, shape, store = asked.child
        return _killed_half_way(shape, store) if what == "run" else _resumed(shape, store)
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps({shape: _measured(shape, Path(folder) / shape, asked.repeat) for shape in asked.shape}))
    return 0


def _measured(shape: str, folder: Path, repeat: int) -> dict[str, object]:
    done = _child("run", shape, folder)
    assert done.returncode == -signal.SIGKILL, done.stderr
    found: list[dict[str, float]] = []
    for number in range(repeat):
        copy = folder.with_name(f"{shape}-{number}")
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("*.sock"))
        began_s = time.time()
        done = _child("resume", shape, copy)
        told = json.loads(done.stdout)
        start_s = told.pop("first_s") - began_s
        found.append({"start_s": start_s, **told, "read_s": _read_s(copy)})
        shutil.rmtree(copy)
    return {
        "meant_s": MEANT[shape],
        **{name: round(statistics.median(one[name] for one in found), 3) for name in found[0]},
    }


def _child(what: str, shape: str, store: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench.resume", "--child", what, shape, str(store)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _read_s(store: Path) -> float:
    """Every row once, with its link of the chain."""
    (journal,) = (store / "runs").glob("*.sqlite")
    began_s = time.perf_counter()
    head = b""
    connection = sqlite3.connect(journal)
    for data, _ in connection.execute("SELECT data, digest FROM events ORDER BY seq"):
        head = hashlib.sha256(head + data).digest()
    connection.close()
    return time.perf_counter() - began_s


# -- in a process of its own ------------------------------------------------------------------------------------------


def _killed_half_way(shape: str, store: str) -> int:
    import actorflow

    width, pipeline = _pipeline(shape)

    def kill(number: int) -> None:
        if number == width // 2:
            os.kill(os.getpid(), signal.SIGKILL)

    globals()["body"] = kill
    actorflow.run(pipeline, store=store)  # type: ignore[arg-type]  # chosen by name: its class is lost
    return 1


def _resumed(shape: str, store: str) -> int:
    import actorflow

    _, pipeline = _pipeline(shape)
    called_s = time.time()

    def tell(number: int) -> None:
        now_s = time.time()
        rss_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        told = {"first_s": now_s, "resume_s": now_s - called_s, "cpu_s": time.process_time(), "rss_mib": rss_mib}
        print(json.dumps(told), flush=True)
        os._exit(0)

    globals()["body"] = tell
    actorflow.resume("@last", pipeline, store=store)  # type: ignore[arg-type]  # chosen by name: its class is lost
    return 1


def _pipeline(shape: str) -> tuple[int, object]:
    from actorflow import dag, task

    width = int(shape.rpartition("_")[2])

    @task
    async def noop(number: int) -> int:
        body(number)
        return number + 1

    @dag
    def chain() -> int:
        value = noop(0)
        for _ in range(width - 1):
            value = noop(value)
        return value

    @task
    async def numbers() -> list[int]:
        return list(range(width))

    @dag
    def fan() -> list[int]:
        return noop.map(numbers())

    return width, chain if shape.startswith("chain") else fan


if __name__ == "__main__":
    sys.exit(main())
