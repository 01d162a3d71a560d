"""Actors in one process, each case beside the raw limit of the same loop in the same run; JSON on stdout.

    python -m bench.actors [--loop asyncio|uvloop|trio ...] [--repeat 5] [--scale 1.0] [--only NAME]

A rate is messages (round trips, hops, actors) per second, the median of `--repeat` rounds; in each of them every loop
has its turn. `of_limit` is its share of the limit beside it, which bench/_actor_cases.py describes, and `of_asyncio`
what the loop makes of asyncio's rate.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from functools import partial

from bench._actor_cases import CASES, Case, crash_reply, idle_bytes, stop_10_000
from bench._loops import LOOPS, LoopName, run_on

Figures = dict[LoopName, dict[str, float]]

clock = time.thread_time
"""Nothing here ever waits, so CPU seconds are what it takes, whatever else the machine is doing."""


def rates(ours: Case, limit: Case, count: int, loops: Sequence[LoopName], repeat: int) -> Figures:
    mine: dict[LoopName, list[float]] = defaultdict(list)
    theirs: dict[LoopName, list[float]] = defaultdict(list)
    for _ in range(repeat):
        for loop in loops:
            theirs[loop].append(count / run_on(loop, partial(limit, count, clock)))
            mine[loop].append(count / run_on(loop, partial(ours, count, clock)))
    return {loop: figures(mine[loop], theirs[loop], mine.get("asyncio")) for loop in loops}


def figures(mine: list[float], theirs: list[float], asyncio: list[float] | None) -> dict[str, float]:
    rate, bound = statistics.median(mine), statistics.median(theirs)
    found = {"per_s": round(rate), "limit_per_s": round(bound), "of_limit": round(rate / bound, 3)}
    if asyncio is not None and asyncio is not mine:
        found["of_asyncio"] = round(rate / statistics.median(asyncio), 2)
    return found


def crashes(count: int, loops: Sequence[LoopName], repeat: int) -> Figures:
    found: Figures = {}
    for loop in loops:
        took_s = statistics.median(run_on(loop, partial(crash_reply, count, clock)) for _ in range(repeat))
        found[loop] = {"us": round(took_s / count * 1e6, 1)}
    return found


def stops(loops: Sequence[LoopName], repeat: int) -> Figures:
    found: Figures = {}
    for loop in loops:
        taken = [run_on(loop, stop_10_000) for _ in range(min(repeat, 3))]
        took_s, gap_s = statistics.median(s for s, _ in taken), statistics.median(g for _, g in taken)
        found[loop] = {"s": round(took_s, 3), "longest_gap_ms": round(gap_s * 1e3, 1)}
    return found


def measure(loops: Sequence[LoopName], repeat: int, scale: float, only: str) -> dict[str, Figures]:
    found: dict[str, Figures] = {}
    for name, (ours, limit, count) in CASES.items():
        if only in name:
            found[name] = rates(ours, limit, max(64, int(count * scale)), loops, repeat)
    if only in "crash_to_next_reply":
        found["crash_to_next_reply"] = crashes(max(1, int(5_000 * scale)), loops, repeat)
    if only in "idle_actor":
        count = max(1, int(2_000 * scale))
        found["idle_actor"] = {loop: {"bytes": round(run_on(loop, partial(idle_bytes, count)))} for loop in loops}
    if only in "stop_10_000":
        found["stop_10_000"] = stops(loops, repeat)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loop", choices=LOOPS, action="append", help="one or several; all by default")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    found = measure(options.loop or LOOPS, options.repeat, options.scale, options.only)
    print(json.dumps({"bench": "actors", "python": sys.version.split()[0], "cases": found}))


if __name__ == "__main__":
    main()
