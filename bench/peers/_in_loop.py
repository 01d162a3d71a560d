"""Our own subjects of the actor comparison: the raw limits and actorflow, on the loop named by BENCH_LOOP."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from functools import partial

from bench._actor_cases import CASES
from bench._actor_cases import Case as LoopCase
from bench._loops import LOOPS, LoopName, run_on
from bench.peers._subject import Case

COMPARED = ("tell", "ask", "ask_64_askers", "ring_1_000", "spawn_stop")


def loop_of_environment() -> LoopName:
    wanted = os.environ.get("BENCH_LOOP", "asyncio")
    for loop in LOOPS:
        if loop == wanted:
            return loop
    raise SystemExit(f"BENCH_LOOP={wanted}: there are {', '.join(LOOPS)}")


def run_case(case: LoopCase, loop: LoopName, operations: int) -> float:
    return run_on(loop, partial(case, operations, time.perf_counter))


def our_cases() -> Mapping[str, Case]:
    loop = loop_of_environment()
    return {name: Case(CASES[name][2], partial(run_case, CASES[name][0], loop)) for name in COMPARED}


def limits() -> Mapping[str, Case]:
    loop = loop_of_environment()
    return {name: Case(CASES[name][2], partial(run_case, CASES[name][1], loop)) for name in COMPARED}
