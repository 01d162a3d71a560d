"""Startup: how long a person waits for the command line, as JSON; the best and the median of several processes.

`--help`, `--version`, the first line of `run` (written before the user's file is imported), cold runs of one `async`
task and of one `def` task, durable, with processor time and peak memory; beside a bare Python process and one
that imports click.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

REPEATS = 11
SCRIPT = Path(sys.executable).parent / "actorflow"
ACTORFLOW = [str(SCRIPT)] if SCRIPT.exists() else [sys.executable, "-m", "actorflow"]
ONE_TASK = """
from actorflow import dag, task

@task
{kind} one() -> int:
    return 1

@dag
def single() -> int:
    return one()
"""


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        for name, kind in (("one_async", "async def"), ("one_def", "def")):
            Path(folder, f"{name}.py").write_text(ONE_TASK.format(kind=kind))
        cases: dict[str, Callable[[], dict[str, float]]] = {
            "bare_python": lambda: whole([sys.executable, "-c", "pass"], folder),
            "python_with_click": lambda: whole([sys.executable, "-c", "import click"], folder),
            "help": lambda: whole([*ACTORFLOW, "--help"], folder),
            "version": lambda: whole([*ACTORFLOW, "--version"], folder),
            "run_help": lambda: whole([*ACTORFLOW, "run", "--help"], folder),
            "first_line": lambda: first_line([*ACTORFLOW, "run", "one_async.py"], folder),
            "cold_run_async": lambda: whole([*ACTORFLOW, "run", "one_async.py"], folder),
            "cold_run_def": lambda: whole([*ACTORFLOW, "run", "one_def.py"], folder),
        }
        report = {name: summary([case() for _ in range(REPEATS)]) for name, case in cases.items()}
    print(json.dumps({"repeats": REPEATS, "unit": "ms and MB", **report}, indent=2))


def whole(command: list[str], folder: str) -> dict[str, float]:
    """From start to end of a process, with its processor time and peak memory, children it waited for included."""
    began_s = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    took_s = time.perf_counter() - began_s
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    cpu_s = usage.ru_utime + usage.ru_stime
    return {"ms": took_s * 1000, "cpu_ms": cpu_s * 1000, "peak_mb": usage.ru_maxrss / 1000}


def first_line(command: list[str], folder: str) -> dict[str, float]:
    """From start to the first byte on stderr."""
    began_s = time.perf_counter()
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        os.read(process.stderr.fileno(), 1)
        took_s = time.perf_counter() - began_s
        process.stderr.read()
    return {"ms": took_s * 1000}


def summary(measured: list[dict[str, float]]) -> dict[str, float]:
    """Best and median time; the least processor time and the highest peak memory where they were taken."""
    times = [one["ms"] for one in measured]
    found = {"best_ms": min(times), "median_ms": statistics.median(times)}
    for name, choose in (("cpu_ms", min), ("peak_mb", max)):
        taken = [one[name] for one in measured if name in one]
        found |= {name: choose(taken)} if taken else {}
    return {name: round(value, 1) for name, value in found.items()}


if __name__ == "__main__":
    main()
