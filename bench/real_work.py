"""The standard-library census beside a bare ProcessPoolExecutor doing the same work with as many workers. Prints JSON.

BENCH_REPEATS (default 3) pairs, ours and the pool's in turn; the median of the pairwise ratios counts.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import actorflow
from examples import stdlib_census as example

REPEATS = int(os.environ.get("BENCH_REPEATS", "3"))
WORKERS = len(os.sched_getaffinity(0))


def modules() -> list[Path]:
    return sorted(path for path in example.STDLIB.rglob("*.py") if "site-packages" not in path.parts)


def census(path: Path) -> example.ModuleReport:
    """The task's plain function: the pool's pickle cannot find it under the task's name."""
    return example.census.fn(path)


def ours() -> example.Summary:
    with tempfile.TemporaryDirectory(prefix="bench-", dir=os.environ.get("BENCH_STORE")) as store:
        return actorflow.run(example.stdlib_census, store=store, workers=WORKERS).value


def pool() -> example.Summary:
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as executor:
        reports = list(executor.map(census, modules()))
    return example.summarise.fn(reports, 10)


def main() -> None:
    ours_s: list[float] = []
    pool_s: list[float] = []
    for _ in range(REPEATS):
        before = time.perf_counter()
        mine = ours()
        middle = time.perf_counter()
        theirs = pool()
        ours_s.append(middle - before)
        pool_s.append(time.perf_counter() - middle)
        assert mine == theirs
    ratios = [mine / theirs for mine, theirs in zip(ours_s, pool_s, strict=True)]
    report = {
        "workers": WORKERS,
        "modules": len(modules()),
        "actorflow_s": round(statistics.median(ours_s), 3),
        "process_pool_s": round(statistics.median(pool_s), 3),
        "ratio": round(statistics.median(ratios), 3),
        "ratios": [round(ratio, 3) for ratio in ratios],
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
