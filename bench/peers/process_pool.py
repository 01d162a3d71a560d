"""concurrent.futures.ProcessPoolExecutor with two workers, one call under way in each; nothing is kept."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor

from bench._process_tasks import noop
from bench.peers._subject import Case, answer
from bench.process import Options, pool

WORKERS = 2


def fan(count: int) -> float:
    return count / pool(Options("asyncio", count, WORKERS, 1))


def chain(count: int) -> float:
    with ProcessPoolExecutor(WORKERS) as executor:
        value = executor.submit(noop, 0).result()
        began_s = time.perf_counter()
        for _ in range(count):
            value = executor.submit(noop, value).result()
        return time.perf_counter() - began_s


def cases() -> Mapping[str, Case]:
    return {"fan_1000": Case(1_000, fan), "chain_200": Case(200, chain)}


if __name__ == "__main__":
    answer("", cases)
