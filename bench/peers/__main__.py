"""Measure actorflow, the raw limits and other systems in turn; JSON on stdout, a table for people on stderr.

    python -m bench.peers [GROUP ...] [--rounds 5] [--scale 1.0]

Groups: `actors` (in one process), `process_tasks` (no-op `def` tasks, one message each, through two workers) and
`durable_tasks` (no-op tasks whose state survives a kill). In each round every subject has its turn, in a process of its
own in which it runs all cases once; a rate is the median of the rounds, in operations per second of the wall's clock.
A subject that is not installed, fails or takes too long is reported as such, in the JSON and in the table.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from bench.peers._subject import RESULT_FILE

ROOT = Path(__file__).parent.parent.parent
LIMIT_S = 240.0
"""For one subject's turn."""


@dataclass(frozen=True, slots=True)
class Subject:
    """module: below bench.peers. limit: the label of what its rates are a share of; its group's first where empty."""

    label: str
    module: str
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    limit: str = ""


ON_ASYNCIO = {"BENCH_LOOP": "asyncio", "ACTORFLOW_UVLOOP": "0"}
ON_UVLOOP = {"BENCH_LOOP": "uvloop", "ACTORFLOW_UVLOOP": "1"}

GROUPS: dict[str, tuple[Subject, ...]] = {
    "actors": (
        Subject("limit", "actors_limit", ON_ASYNCIO),
        Subject("limit, uvloop", "actors_limit", ON_UVLOOP, limit="limit, uvloop"),
        Subject("actorflow", "actors_ours", ON_ASYNCIO),
        Subject("actorflow, uvloop", "actors_ours", ON_UVLOOP, limit="limit, uvloop"),
        Subject("pykka", "actors_pykka"),
        Subject("thespian", "actors_thespian"),
        Subject("xoscar", "actors_xoscar", ON_ASYNCIO),
        Subject("xoscar, uvloop", "actors_xoscar", ON_UVLOOP, limit="limit, uvloop"),
    ),
    "process_tasks": (
        Subject("limit: echo", "process_echo"),
        Subject("stdlib pool", "process_pool"),
        Subject("actorflow, durable", "process_ours", ON_ASYNCIO),
        Subject("dask", "process_dask"),
        Subject("ray", "process_ray"),
    ),
    "durable_tasks": (
        Subject("limit: minimum", "durable_minimum", ON_ASYNCIO),
        Subject("actorflow", "durable_ours", ON_ASYNCIO),
        Subject("luigi", "durable_luigi"),
        Subject("dbos", "durable_dbos"),
        Subject("prefect", "durable_prefect"),
        Subject("dagster", "durable_dagster"),
    ),
}
"""The first of each group is its limit."""


@dataclass(slots=True)
class Tally:
    """What the rounds found of one subject."""

    version: str = ""
    trouble: str = ""
    rates: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    failed: dict[str, str] = field(default_factory=dict[str, str])

    def add(self, found: Mapping[str, Any]) -> None:
        self.trouble = self.trouble or found.get("absent", "") or found.get("trouble", "")
        self.version = found.get("version", self.version)
        for name, rate in found.get("per_s", {}).items():
            self.rates.setdefault(name, []).append(rate)
        self.failed |= found.get("failed", {})

    def medians(self) -> dict[str, float]:
        return {name: statistics.median(rates) for name, rates in self.rates.items()}

    def report(self, limit: Mapping[str, float]) -> dict[str, Any]:
        rates = self.medians()
        found: dict[str, Any] = {"version": self.version, "per_s": {name: round(rate) for name, rate in rates.items()}}
        found["range"] = {name: [round(min(taken)), round(max(taken))] for name, taken in self.rates.items()}
        found["of_limit"] = {name: round(rate / limit[name], 4) for name, rate in rates.items() if name in limit}
        if self.trouble:
            found["trouble"] = self.trouble
        if self.failed:
            found["failed"] = self.failed
        return found


def turn(subject: Subject, scale: float) -> dict[str, Any]:
    """One subject's answer, with everything that it started gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="bench-peers-") as folder:
        answer = Path(folder, "answer.json")
        environment = {**os.environ, **subject.environment, RESULT_FILE: str(answer), "BENCH_FOLDER": folder}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        command = [sys.executable, "-m", f"bench.peers.{subject.module}", "--scale", str(scale)]
        with Path(folder, "output").open("w+") as output:
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True
            )
            try:
                code = process.wait(LIMIT_S)
            except subprocess.TimeoutExpired:
                return {"trouble": f"not done after {LIMIT_S:.0f} s"}
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            if code == 0 and answer.exists():
                found: dict[str, Any] = json.loads(answer.read_text())
                return found
            output.seek(0)
            last = (output.read().strip().splitlines() or ["said nothing"])[-1]
            return {"trouble": f"exit code {code}: {last[:200]}"}


def measure(subjects: Sequence[Subject], rounds: int, scale: float) -> dict[str, Any]:
    tallies = {subject.label: Tally() for subject in subjects}
    for number in range(rounds):
        for subject in subjects:
            tally = tallies[subject.label]
            if tally.trouble:
                continue
            print(f"round {number + 1} of {rounds}: {subject.label}", file=sys.stderr, flush=True)
            tally.add(turn(subject, scale))
    limits = {subject.label: tallies[subject.limit or subjects[0].label].medians() for subject in subjects}
    return {label: tally.report(limits[label]) for label, tally in tallies.items()}


def table(group: str, found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Markdown: subjects down, cases across."""
    cases = list(dict.fromkeys(name for one in found.values() for name in one["per_s"]))
    lines = [f"| {group}, per second | {' | '.join(cases)} |", "|---" * (len(cases) + 1) + "|"]
    for label, one in found.items():
        name = f"{label} {one['version']}".strip()
        if one.get("trouble"):
            lines.append(f"| {name} | {one['trouble']} |" + " |" * (len(cases) - 1))
            continue
        cells = [cell(one, case) for case in cases]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def cell(one: Mapping[str, Any], case: str) -> str:
    if case in one["per_s"]:
        share = one["of_limit"].get(case)
        return f"{one['per_s'][case]:,}" + (f" ({share:.2f})" if share is not None and share != 1 else "")
    return "failed" if case in one.get("failed", {}) else "-"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("group", nargs="*", help=", ".join(GROUPS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _leave)  # by an exception, so that the subject whose turn it is ends too
    unknown = [name for name in options.group if name not in GROUPS]
    if unknown:
        parser.error(f"no group {', '.join(unknown)}; there are {', '.join(GROUPS)}")
    machine = {"python": platform.python_version(), "cores": os.cpu_count(), "load_1_min": round(os.getloadavg()[0], 2)}
    report: dict[str, Any] = {"machine": machine, "rounds": options.rounds, "scale": options.scale}
    for name in options.group or GROUPS:
        report[name] = measure(GROUPS[name], options.rounds, options.scale)
        print("", *table(name, report[name]), "", sep="\n", file=sys.stderr, flush=True)
    print(json.dumps(report, indent=2))
    return 0


def _leave(number: int, _: object) -> NoReturn:
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
