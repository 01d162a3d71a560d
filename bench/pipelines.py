"""No-op pipelines per second, durable, beside a bare loop and a hand-written durable minimum in the same run.

Prints JSON. Rates are of the run itself: imports and the graph's definition are not in them. BENCH_REPEATS (default 5)
rounds, in each of which every case has its turn on every loop (BENCH_LOOPS, all by default); the median counts. Durable
means: every state change is in SQLite with full sync before the run is reported as done. `memory_...` is the same run
with its rows in a list: `durable_of_memory` is the share of its rate that durability leaves.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import queue
import resource
import sqlite3
import statistics
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import anyio

import actorflow
from actorflow.compose import RunSettings, carry_out, make_header
from actorflow.flows.plan import make_plan
from actorflow.runs.events import AttemptFinished, Record
from actorflow.runs.journal import Journal
from actorflow.runs.memory_log import MemoryLog
from actorflow.runs.store import SqliteStore, new_run_id
from bench import _noop_dags as dags
from bench._loops import LOOPS, LoopName, run_on, runs_on

Observer = Callable[[Sequence[Record]], None]
Case = Callable[[LoopName], object]
STORES = os.environ.get("BENCH_STORE")
REPEATS = int(os.environ.get("BENCH_REPEATS", "5"))
WANTED: tuple[LoopName, ...] = tuple(
    loop for loop in LOOPS if loop in os.environ.get("BENCH_LOOPS", " ".join(LOOPS)).split()
)


def medians(cases: Mapping[str, Case]) -> dict[tuple[str, LoopName], float]:
    """Seconds of each case on each loop, after one round that is not counted."""
    seconds: dict[tuple[str, LoopName], list[float]] = defaultdict(list)
    for _ in range(REPEATS + 1):
        for name, case in cases.items():
            for loop in WANTED:
                before = time.perf_counter()
                case(loop)
                seconds[name, loop].append(time.perf_counter() - before)
    return {key: statistics.median(taken[1:]) for key, taken in seconds.items()}


def run(
    bound: actorflow.BoundDag[int],
    loop: LoopName,
    *,
    executor: str | None = None,
    workers: int | None = None,
    on_records: Observer | None = None,
) -> None:
    """One durable run in a store of its own."""
    with runs_on(loop) as backend, tempfile.TemporaryDirectory(prefix="bench-", dir=STORES) as store:
        result = actorflow.run(
            bound, store=store, backend=backend, executor=executor, workers=workers, on_records=on_records
        )
        assert result.status == "succeeded", result.error


def run_in_memory(bound: actorflow.BoundDag[int], loop: LoopName) -> None:
    """The same run with nothing of its journal on disk."""

    async def main() -> None:
        with tempfile.TemporaryDirectory(prefix="bench-", dir=STORES) as folder:
            settings, store = RunSettings(store=folder), SqliteStore(folder)
            store.prepare()
            plan = make_plan(bound.dag.graph, bound.params)
            header = make_header(plan, bound.dag, settings, new_run_id())
            log = MemoryLog(header.run_id)
            log.path = store.journal_path(header.run_id)
            result = await carry_out(plan, bound.dag, header, store, Journal(log), settings=settings)
            assert result.status == "succeeded", result.error

    run_on(loop, main)


def links_ms(bound: actorflow.BoundDag[int], loop: LoopName) -> dict[str, float]:
    """From the start of one attempt to the start of the next on a chain."""
    starts: list[float] = []

    def keep(records: Sequence[Record]) -> None:
        starts.extend(record.event.started for record in records if isinstance(record.event, AttemptFinished))

    run(bound, loop, on_records=keep)
    links = sorted((later - earlier) * 1000 for earlier, later in itertools.pairwise(starts))
    return {"p50": round(links[len(links) // 2], 4), "p99": round(links[int(len(links) * 0.99)], 4)}


def bare_fan(width: int, loop: LoopName) -> None:
    async def noop(out: list[int], value: int) -> None:
        out.append(value)

    async def main() -> None:
        out: list[int] = []
        async with anyio.create_task_group() as group:
            for value in range(width):
                group.start_soon(noop, out, value)
        assert len(out) == width

    run_on(loop, main)


class MinimalJournal:
    """What a durable log costs at least: a hash chain, full sync, one writer thread that commits what has gathered."""

    def __init__(self, path: str) -> None:
        self.rows: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self.db.execute("pragma journal_mode=wal")
        self.db.execute("pragma synchronous=full")
        self.db.execute("create table log (seq integer primary key, row blob, digest blob)")
        self.thread = threading.Thread(target=self.write)
        self.thread.start()

    def write(self) -> None:
        digest = b""
        ended = False
        while not ended:
            batch = [self.rows.get()]
            while not self.rows.empty() and len(batch) < 2000:
                batch.append(self.rows.get())
            ended = batch[-1] is None
            rows: list[tuple[bytes, bytes]] = []
            for row in batch:
                if row is not None:
                    digest = hashlib.sha256(digest + row).digest()
                    rows.append((row, digest))
            self.db.execute("begin")
            self.db.executemany("insert into log (row, digest) values (?, ?)", rows)
            self.db.execute("commit")

    def close(self) -> None:
        self.rows.put(None)
        self.thread.join()
        self.db.close()


def minimum(width: int, loop: LoopName, *, chain: bool) -> None:
    """Two rows a task, each task a task of the loop; on the chain each awaits the one before."""

    async def noop(journal: MinimalJournal, value: int) -> int:
        journal.rows.put(b"start %d" % value)
        journal.rows.put(b"end %d" % value)
        return value

    async def main() -> None:
        with tempfile.TemporaryDirectory(dir=STORES) as folder:
            journal = MinimalJournal(f"{folder}/log.sqlite")
            if chain:
                for value in range(width):
                    async with anyio.create_task_group() as group:
                        group.start_soon(noop, journal, value)
            else:
                async with anyio.create_task_group() as group:
                    for value in range(width):
                        group.start_soon(noop, journal, value)
            journal.close()

    run_on(loop, main)


def case(width: int, seconds: float, floor_s: float) -> dict[str, float]:
    return {
        "tasks": width,
        "seconds": round(seconds, 4),
        "tasks_per_s": round(width / seconds),
        "us_per_task": round(seconds / width * 1e6, 1),
        "share_of_minimum": round(floor_s / seconds, 3),
    }


def cases() -> dict[str, Case]:
    """Limits first; a name ends with how many tasks it is."""
    return {
        "bare_loop_fan_10000": partial(bare_fan, 10_000),
        "minimum_fan_10000": partial(minimum, 10_000, chain=False),
        "minimum_fan_1000": partial(minimum, 1_000, chain=False),
        "minimum_chain_1000": partial(minimum, 1_000, chain=True),
        "async_fan_1000": partial(run, dags.fan.bind(width=1_000)),
        "async_fan_10000": partial(run, dags.fan.bind(width=10_000)),
        "memory_fan_10000": partial(run_in_memory, dags.fan.bind(width=10_000)),
        "async_chain_1000": partial(run, dags.chain_1000.bind()),
        "memory_chain_1000": partial(run_in_memory, dags.chain_1000.bind()),
        "inline_fan_1000": partial(run, dags.fan.bind(width=1_000), executor="inline"),
        "process_fan_1000": partial(run, dags.fan_def.bind(width=1_000), workers=2),
        "process_chain_200": partial(run, dags.chain_def_200.bind(), workers=2),
    }


def of_loop(loop: LoopName, seconds: Mapping[tuple[str, LoopName], float]) -> dict[str, object]:
    took = {name: taken_s for (name, on), taken_s in seconds.items() if on == loop}
    limits = {name: taken_s for name, taken_s in took.items() if name.startswith(("bare_", "minimum_", "memory_"))}
    found: dict[str, object] = {
        "limits_tasks_per_s": {name: round(width_of(name) / taken_s) for name, taken_s in limits.items()}
    }
    for name, taken_s in took.items():
        if name not in limits:
            floor_s = limits[FLOORS[name]] * width_of(name) / width_of(FLOORS[name])
            found[name] = {**case(width_of(name), taken_s, floor_s), **of_asyncio(name, loop, seconds)}
    found["linearity_10000_vs_1000"] = round(took["async_fan_10000"] / took["async_fan_1000"] / 10, 3)
    found["durable_of_memory"] = {
        shape: round(took[f"memory_{shape}"] / took[f"async_{shape}"], 3) for shape in ("fan_10000", "chain_1000")
    }
    found["chain_link_ms"] = links_ms(dags.chain_1000.bind(), loop)
    return found


FLOORS = {
    "async_fan_1000": "minimum_fan_1000",
    "async_fan_10000": "minimum_fan_10000",
    "async_chain_1000": "minimum_chain_1000",
    "inline_fan_1000": "minimum_fan_1000",
    "process_fan_1000": "minimum_fan_1000",
    "process_chain_200": "minimum_chain_1000",
}


def width_of(name: str) -> int:
    return int(name.rsplit("_", 1)[1])


def of_asyncio(name: str, loop: LoopName, seconds: Mapping[tuple[str, LoopName], float]) -> dict[str, float]:
    """What the loop makes of asyncio's rate."""
    asyncio_s = seconds.get((name, "asyncio"))
    return {} if asyncio_s is None or loop == "asyncio" else {"of_asyncio": round(asyncio_s / seconds[name, loop], 2)}


def main() -> None:
    seconds = medians(cases())
    report: dict[str, object] = {"repeats": REPEATS, **{loop: of_loop(loop, seconds) for loop in WANTED}}
    report["peak_rss_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
