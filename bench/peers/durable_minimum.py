"""A hand-written durable minimum: a task of the loop each, two chained rows, full sync by one writer thread."""

from __future__ import annotations

import time
from collections.abc import Mapping

from bench.peers._in_loop import loop_of_environment
from bench.peers._subject import Case, answer
from bench.pipelines import minimum


def timed(count: int, *, chain: bool) -> float:
    began_s = time.perf_counter()
    minimum(count, loop_of_environment(), chain=chain)
    return time.perf_counter() - began_s


def cases() -> Mapping[str, Case]:
    return {
        "fan": Case(1_000, lambda count: timed(count, chain=False)),
        "chain": Case(1_000, lambda count: timed(count, chain=True)),
    }


if __name__ == "__main__":
    answer("", cases)
