"""actorflow's `async` tasks in a run of their own: every start and end in SQLite, with full sync."""

from __future__ import annotations

import time
from collections.abc import Mapping

import actorflow
from bench import _noop_dags as dags
from bench.peers._in_loop import loop_of_environment
from bench.peers._subject import Case, answer
from bench.pipelines import run


def timed(bound: actorflow.BoundDag[int]) -> float:
    began_s = time.perf_counter()
    run(bound, loop_of_environment())
    return time.perf_counter() - began_s


def fan(count: int) -> float:
    return timed(dags.fan.bind(width=count))


def chain(count: int) -> float:
    return timed(dags.chain_1000.bind()) * count / 1_000


def cases() -> Mapping[str, Case]:
    timed(dags.fan.bind(width=10))  # what a first run imports
    return {"fan": Case(1_000, fan), "chain": Case(1_000, chain)}


if __name__ == "__main__":
    answer("actorflow", cases)
