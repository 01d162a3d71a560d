"""No-op pipelines per second, durable, beside a bare loop and a hand-written durable minimum in the same run.

Prints JSON. Rates are of the run itself: imports and the graph's definition are not in them. BENCH_REPEATS (default 5)
runs of each case; the median counts. Durable means: every state change is in SQLite with full sync before the run is
reported as done.
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
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import anyio

import actorflow
from actorflow.runs.events import AttemptFinished, Record
from bench import _noop_dags as dags

Backend = Literal["asyncio", "trio"]
Observer = Callable[[Sequence[Record]], None]
BACKENDS: tuple[Backend, ...] = ("asyncio", "trio")
REPEATS = int(os.environ.get("BENCH_REPEATS", "5"))


def timed(call: Callable[[], object]) -> float:
    """Seconds of one call, the median of REPEATS after one that is not counted."""
    call()
    seconds: list[float] = []
    for _ in range(REPEATS):
        before = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - before)
    return statistics.median(seconds)


def run(
    bound: actorflow.BoundDag[int],
    backend: Backend,
    *,
    executor: str | None = None,
    workers: int | None = None,
    on_records: Observer | None = None,
) -> None:
    """One durable run in a store of its own."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=os.environ.get("BENCH_STORE")) as store:
        result = actorflow.run(
            bound, store=store, backend=backend, executor=executor, workers=workers, on_records=on_records
        )
        assert result.status == "succeeded", result.error


def links_ms(bound: actorflow.BoundDag[int], backend: Backend) -> dict[str, float]:
    """From the start of one attempt to the start of the next on a chain."""
    starts: list[float] = []

    def keep(records: Sequence[Record]) -> None:
        starts.extend(record.event.started for record in records if isinstance(record.event, AttemptFinished))

    run(bound, backend, on_records=keep)
    links = sorted((later - earlier) * 1000 for earlier, later in itertools.pairwise(starts))
    return {"p50": round(links[len(links) // 2], 4), "p99": round(links[int(len(links) * 0.99)], 4)}


def bare_fan(width: int, backend: Backend) -> None:
    async def noop(out: list[int], value: int) -> None:
        out.append(value)

    async def main() -> None:
        out: list[int] = []
        async with anyio.create_task_group() as group:
            for value in range(width):
                group.start_soon(noop, out, value)
        assert len(out) == width

    anyio.run(main, backend=backend)


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


def minimum(width: int, *, chain: bool, backend: Backend) -> None:
    """Two rows a task, each task a task of the loop; on the chain each awaits the one before."""

    async def noop(journal: MinimalJournal, value: int) -> int:
        journal.rows.put(b"start %d" % value)
        journal.rows.put(b"end %d" % value)
        return value

    async def main() -> None:
        with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_STORE")) as folder:
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

    anyio.run(main, backend=backend)


def case(width: int, seconds: float, floor_s: float) -> dict[str, float]:
    return {
        "tasks": width,
        "seconds": round(seconds, 4),
        "tasks_per_s": round(width / seconds),
        "us_per_task": round(seconds / width * 1e6, 1),
        "share_of_minimum": round(floor_s / seconds, 3),
    }


def main() -> None:
    report: dict[str, object] = {"repeats": REPEATS}
    for backend in BACKENDS:
        floors = {
            "bare_loop_fan_10000": timed(partial(bare_fan, 10_000, backend)),
            "minimum_fan_10000": timed(partial(minimum, 10_000, chain=False, backend=backend)),
            "minimum_fan_1000": timed(partial(minimum, 1_000, chain=False, backend=backend)),
            "minimum_chain_1000": timed(partial(minimum, 1_000, chain=True, backend=backend)),
        }
        fan_1000 = timed(partial(run, dags.fan.bind(width=1_000), backend))
        fan_10000 = timed(partial(run, dags.fan.bind(width=10_000), backend))
        chain = timed(partial(run, dags.chain_1000.bind(), backend))
        inline = timed(partial(run, dags.fan.bind(width=1_000), backend, executor="inline"))
        process = timed(partial(run, dags.fan_def.bind(width=1_000), backend, workers=2))
        process_chain = timed(partial(run, dags.chain_def_200.bind(), backend, workers=2))
        report[backend] = {
            "limits_tasks_per_s": {
                name: round(int(name.rsplit("_", 1)[1]) / seconds) for name, seconds in floors.items()
            },
            "async_fan_1000": case(1_002, fan_1000, floors["minimum_fan_1000"]),
            "async_fan_10000": case(10_002, fan_10000, floors["minimum_fan_10000"]),
            "linearity_10000_vs_1000": round((fan_10000 / 10_002) / (fan_1000 / 1_002), 3),
            "async_chain_1000": {
                **case(1_000, chain, floors["minimum_chain_1000"]),
                "link_ms": links_ms(dags.chain_1000.bind(), backend),
            },
            "inline_fan_1000": case(1_002, inline, floors["minimum_fan_1000"]),
            "process_fan_1000": case(1_002, process, floors["minimum_fan_1000"]),
            "process_chain_200": case(200, process_chain, floors["minimum_chain_1000"] / 5),
        }
    report["peak_rss_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
