"""Attempts in worker processes, beside a bare echo over socketpairs and the standard library's pool; JSON on stdout.

    python -m bench.process [--backend asyncio|trio] [--attempts 5000] [--workers 2] [--repeat 5]

`attempts` is no-op attempts a second, one under way in each worker, `ahead` with 32 for each of them;
`echo` is the limit: as many bare children that write back what they read, served by one selector; `pool` is
concurrent.futures.ProcessPoolExecutor with as many calls under way as workers. CPU microseconds an attempt say what it
costs whatever else the machine does. `start_ms` is from an open executor without workers to the first outcome, beside
the bare interpreter; `crash_to_next_ms` from the start of an attempt that kills its worker to the outcome of the next
one, on a new worker; `close_ms` ends all workers. Medians of `--repeat`.
"""

from __future__ import annotations

import argparse
import json
import logging
import selectors
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio

sys.path.insert(0, str(Path(__file__).parent.parent))

from actorflow.actors.system import ActorSystem
from actorflow.executors.process import ProcessExecutor
from actorflow.runs.executor import AttemptSpec, Cause, Outcome, RunSite
from actorflow.runs.values import Value
from bench import _process_tasks as tasks

MODULE = "bench._process_tasks"
FRAME_BYTES = 40
"""Of a no-op's request."""

AHEAD = 32
"""Attempts under way for each worker, as a run has of a step whose attempts are quick."""

ECHO = "import os, sys; fd = int(sys.argv[1])\nwhile data := os.read(fd, 65536): os.write(fd, data)"


@dataclass(frozen=True)
class Options:
    backend: str
    attempts: int
    workers: int
    repeat: int


def spec(task: str, **arguments: int) -> AttemptSpec:
    values = {name: Value.of(value) for name, value in arguments.items()}
    return AttemptSpec(run_id="bench", step="step", map_index=None, number=1, task=f"{MODULE}:{task}", arguments=values)


@asynccontextmanager
async def opened(workers: int) -> AsyncGenerator[ProcessExecutor]:
    executor = ProcessExecutor(workers)
    async with ActorSystem() as system:
        site = RunSite(run_id="bench", module=MODULE, file=str(tasks.__file__), spawn=system.spawn)
        async with executor.opened(site):
            yield executor


async def throughput(executor: ProcessExecutor, options: Options, under_way: int) -> dict[str, float]:
    """One round of no-op attempts, so many at once."""
    worker_cpu_s = 0.0

    async def feed(left: Iterator[int]) -> None:
        nonlocal worker_cpu_s
        for number in left:
            outcome = await executor.execute(spec("noop", value=number))
            assert outcome.cause is Cause.ran, outcome.error
            worker_cpu_s += outcome.cpu_s or 0.0

    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    left = iter(range(options.attempts))
    async with anyio.create_task_group() as group:
        for _ in range(under_way):
            group.start_soon(feed, left)
    return {
        "attempts": options.attempts / (time.perf_counter() - began_s),
        "owner_cpu_us": (time.process_time() - began_cpu_s) / options.attempts * 1e6,
        "worker_cpu_us": worker_cpu_s / options.attempts * 1e6,
    }


async def timed(executor: ProcessExecutor, *specs: AttemptSpec) -> tuple[float, list[Outcome]]:
    """Milliseconds of attempts, one after the other."""
    began_s = time.perf_counter()
    outcomes = [await executor.execute(each) for each in specs]
    return (time.perf_counter() - began_s) * 1e3, outcomes


async def rounds(options: Options) -> list[dict[str, float]]:
    found: list[dict[str, float]] = []
    for _ in range(options.repeat):
        async with opened(options.workers) as executor:
            start_ms, (first,) = await timed(executor, spec("noop", value=0))
            await throughput(executor, Options(options.backend, 200, options.workers, 1), options.workers)
            measured = await throughput(executor, options, options.workers)
            ahead = await throughput(executor, options, AHEAD * options.workers)
            measured |= {"ahead": ahead["attempts"], "ahead_owner_cpu_us": ahead["owner_cpu_us"]}
            began_s = time.perf_counter()
        close_ms = (time.perf_counter() - began_s) * 1e3
        async with opened(1) as executor:
            await executor.execute(spec("noop", value=0))
            crash_ms, (lost, _) = await timed(executor, spec("die"), spec("noop", value=0))
            assert lost.cause is Cause.lost
        measured |= {"start_ms": start_ms, "crash_to_next_ms": crash_ms, "close_ms": close_ms}
        measured["worker_rss_mb"] = (first.peak_rss_bytes or 0) / 1e6
        found.append(measured | limits(options))
    return found


def limits(options: Options) -> dict[str, float]:
    return {"echo": echo(options), "pool": pool(options), "bare_python_ms": bare_python_ms()}


def echo(options: Options) -> float:
    """Round trips a second of bare children, one under way in each."""
    selector = selectors.DefaultSelector()
    children: list[subprocess.Popen[bytes]] = []
    for _ in range(options.workers):
        ours, theirs = socket.socketpair()
        children.append(
            subprocess.Popen([sys.executable, "-ISc", ECHO, str(theirs.fileno())], pass_fds=[theirs.fileno()])
        )
        theirs.close()
        selector.register(ours, selectors.EVENT_READ)
        ours.sendall(b"x" * FRAME_BYTES)
        ours.recv(FRAME_BYTES)
        ours.sendall(b"x" * FRAME_BYTES)
    began_s, done = time.perf_counter(), 0
    while done < options.attempts:
        for key, _ in selector.select():
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.recv(FRAME_BYTES)
            key.fileobj.sendall(b"x" * FRAME_BYTES)
            done += 1
    took_s = time.perf_counter() - began_s
    for child in children:
        child.kill()
        child.wait()
    for key in list(selector.get_map().values()):
        assert isinstance(key.fileobj, socket.socket)
        key.fileobj.close()
    selector.close()
    return done / took_s


def pool(options: Options) -> float:
    """Calls a second of the standard library's pool, one under way in each worker."""
    with ProcessPoolExecutor(options.workers) as executor:
        executor.submit(tasks.noop, 0).result()
        began_s = time.perf_counter()
        under_way: set[Future[int]] = {executor.submit(tasks.noop, 0) for _ in range(options.workers)}
        for number in range(options.workers, options.attempts):
            done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            under_way |= {executor.submit(tasks.noop, number) for _ in done}
        wait(under_way)
        return options.attempts / (time.perf_counter() - began_s)


def bare_python_ms() -> float:
    began_s = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return (time.perf_counter() - began_s) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", default="asyncio", choices=["asyncio", "trio"])
    parser.add_argument("--attempts", type=int, default=5000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=5)
    options = Options(**vars(parser.parse_args()))
    logging.disable()  # a worker that dies is logged
    found = anyio.run(partial(rounds, options), backend=options.backend)
    report = {name: round(statistics.median(each[name] for each in found), 1) for name in found[0]}
    report["of_echo"] = round(report["attempts"] / report["echo"], 2)
    report["of_pool"] = round(report["attempts"] / report["pool"], 2)
    print(json.dumps({"options": vars(options), **report}, indent=2))


if __name__ == "__main__":
    main()
