"""How long a task that is ready waits for its start, with the run at 80% of what it can do; JSON on stdout.

    python -m bench.dispatch [--loop asyncio|uvloop|trio ...] [--repeat 3] [--load 0.8]

64 chains of `async` tasks side by side, durable. First without a pause in them: that is the capacity. Then with pauses,
drawn from 0.5 to 1.5 times what brings the rate to `--load` of it. `dispatch_ms` is from the end of one body to the
start of the next in its chain; `limit_ms` is the same in a bare loop, where a link is one turn, with the same pauses.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from functools import partial
from random import Random

import anyio
import anyio.lowlevel

import actorflow
from actorflow import dag, task
from bench._loops import LOOPS, LoopName, run_on, runs_on
from bench.pipelines import STORES

CHAINS = 64
LINKS = 30


class Marks:
    """When each body began and ended, by its number; and how long each is to pause."""

    def __init__(self) -> None:
        self.of: dict[int, tuple[float, float]] = {}
        self.pauses_s = [0.0]

    def begin(self, pause_s: float) -> None:
        rng = Random(1)
        self.of.clear()
        self.pauses_s = [pause_s * rng.uniform(0.5, 1.5) for _ in range(CHAINS * LINKS)]

    async def body(self, number: int) -> None:
        began_s = time.perf_counter()
        await anyio.sleep(self.pauses_s[number])
        self.of[number] = (began_s, time.perf_counter())

    def waits_ms(self) -> list[float]:
        """From each end to the next beginning, in order of size."""
        pairs = [(self.of[number - 1][1], self.of[number][0]) for number in range(CHAINS * LINKS) if number % LINKS]
        return sorted((began_s - ended_s) * 1e3 for ended_s, began_s in pairs)

    def per_s(self) -> float:
        """Bodies a second, from the first that began to the last that ended."""
        took_s = max(ended_s for _, ended_s in self.of.values()) - min(began_s for began_s, _ in self.of.values())
        return len(self.of) / took_s


marks = Marks()


@task
async def link(number: int) -> int:
    await marks.body(number)
    return number + 1


@dag
def chains() -> list[int]:
    ends: list[int] = []
    for first in range(0, CHAINS * LINKS, LINKS):
        value = link(first)
        for _ in range(LINKS - 1):
            value = link(value)
        ends.append(value)
    return ends


def run(loop: LoopName, pause_s: float) -> None:
    marks.begin(pause_s)
    with runs_on(loop) as backend, tempfile.TemporaryDirectory(prefix="bench-", dir=STORES) as store:
        result = actorflow.run(chains, store=store, backend=backend)
    assert result.status == "succeeded", result.error


async def bare(pause_s: float) -> None:
    async def chain(first: int) -> None:
        for number in range(first, first + LINKS):
            await marks.body(number)
            await anyio.lowlevel.checkpoint()

    marks.begin(pause_s)
    async with anyio.create_task_group() as group:
        for first in range(0, CHAINS * LINKS, LINKS):
            group.start_soon(chain, first)


def percentiles(waits_ms: list[float]) -> dict[str, float]:
    found = {"p50": waits_ms[len(waits_ms) // 2], "p99": waits_ms[int(len(waits_ms) * 0.99)], "max": waits_ms[-1]}
    return {name: round(wait_ms, 3) for name, wait_ms in found.items()}


def once(loop: LoopName, load: float) -> dict[str, dict[str, float]]:
    run(loop, 0.0)
    capacity_per_s = marks.per_s()
    pause_s = CHAINS / (load * capacity_per_s)
    run(loop, pause_s)
    rates = {"capacity_per_s": round(capacity_per_s, 1), "reached_per_s": round(marks.per_s(), 1)}
    waits = percentiles(marks.waits_ms())
    run_on(loop, partial(bare, pause_s))
    return {"rates": rates, "dispatch_ms": waits, "limit_ms": percentiles(marks.waits_ms())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loop", choices=LOOPS, action="append", help="one or several; all by default")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--load", type=float, default=0.8)
    options = parser.parse_args()
    loops: list[LoopName] = options.loop or list(LOOPS)
    taken: dict[LoopName, list[dict[str, dict[str, float]]]] = {loop: [] for loop in loops}
    for _ in range(options.repeat):
        for loop in loops:
            taken[loop].append(once(loop, options.load))
    report = {
        loop: {
            part: {name: statistics.median(one[part][name] for one in rounds) for name in rounds[0][part]}
            for part in rounds[0]
        }
        for loop, rounds in taken.items()
    }
    python = sys.version.split()[0]
    print(
        json.dumps({"bench": "dispatch", "python": python, "load": options.load, "chains": CHAINS, **report}, indent=2)
    )


if __name__ == "__main__":
    main()
