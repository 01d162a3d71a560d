"""A warden's figures beside the bare thing each adds to; JSON on stdout.

    python -m bench.warden [--backend asyncio|trio] [--repeat 9]

`ready_ms` from `open_warden` to the end of a first, bare program, beside a bare interpreter's `python_ms`; `start_ms` a
bare program through a warden that runs. `fork_ms` from the request to a forked worker's first word, `cold_ms` the same
from a fresh interpreter that imports what the workers of a run import. `worker_rss_mb`, `warden_rss_mb`: resident.
`gone_ms`: 50 workers after SIGKILL of their supervisor. `quota_ms`: from some MiB below its quota to the end of a
process that allocates flat out, and `quota_overshoot`, its peak by its quota. Medians of `--repeat`.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import select
import signal
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

import anyio

sys.path.insert(0, str(Path(__file__).parent.parent))

from actorflow.executors.worker_zygote import zygote_for
from actorflow.runs.executor import RunSite
from actorflow_supervisors.memory_tree import WatchedTree
from actorflow_supervisors.process import Process
from actorflow_supervisors.process_tree import children
from actorflow_supervisors.shared_counts import SharedCounts
from actorflow_supervisors.warden import Warden, Zygote, open_warden
from bench import _process_tasks as tasks

WORKERS = 50
QUOTA_BYTES = 256 << 20
HOG = f"""
import sys, time
held, mib = [], 0
while True:
    held.append(bytearray(1 << 20))
    mib += 1
    if mib == {(QUOTA_BYTES >> 20) - 16}: sys.stdout.write(f"{{time.monotonic()}}\\n"); sys.stdout.flush()
"""

SUPERVISOR = f"""
import anyio, os, sys
sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
from actorflow_supervisors.warden import open_warden
from bench.warden import site, worker, zygote_for

async def main():
    async with open_warden() as warden, zygote_for(warden, site(), None) as zygote:
        kept = [await worker(zygote) for _ in range({WORKERS})]
        print(*(process.pid for process, _ in kept), flush=True)
        await anyio.sleep_forever()

anyio.run(main, backend=sys.argv[1])
"""


def site() -> RunSite:
    return RunSite(run_id="bench", module="bench._process_tasks", file=str(tasks.__file__), spawn=print)


async def worker(zygote: Zygote) -> tuple[Process, socket.socket]:
    """One that has said it is ready."""
    ours, theirs = socket.socketpair()
    counts = SharedCounts.new_file()
    socket.send_fds(ours, [b"\0"], [counts])
    os.close(counts)
    process = await zygote.fork(b"", sock=theirs)
    theirs.close()
    await anyio.wait_readable(ours)
    return process, ours


async def timed_worker(zygote: Zygote) -> tuple[float, float]:
    """Milliseconds to its first word, and its resident megabytes."""
    began_s = time.perf_counter()
    process, sock = await worker(zygote)
    took_ms, rss_mb = since_ms(began_s), resident_mb(process.pid)
    sock.close()
    await process.wait()
    return took_ms, rss_mb


async def warden_round() -> dict[str, float]:
    bare = [sys.executable, "-I", "-S", "-c", ""]
    began_s = time.perf_counter()
    async with open_warden() as warden:
        await (await warden.start(bare, env={})).wait()
        found = {"ready_ms": since_ms(began_s)}
        began_s = time.perf_counter()
        process = await warden.start(bare, env={})
        await process.wait()
        found["start_ms"] = since_ms(began_s)
        wardens = children(os.getpid())
        found["warden_rss_mb"] = max(map(resident_mb, wardens))
        async with zygote_for(warden, site(), None) as zygote:
            assert await zygote.ready() == ""
            await timed_worker(zygote)
            found["fork_ms"], found["worker_rss_mb"] = await timed_worker(zygote)
        found |= await quota(warden)
    async with open_warden(reduced=True) as warden, zygote_for(warden, site(), None) as zygote:
        found["cold_ms"], _ = await timed_worker(zygote)
    return found


async def quota(warden: Warden) -> dict[str, float]:
    reads, writes = os.pipe()
    hog = await warden.start(
        [sys.executable, "-ISc", HOG], env={}, stdout=writes, quota_bytes=QUOTA_BYTES, backstop=False
    )
    os.close(writes)
    await hog.wait()
    ended_s = time.monotonic()
    crossed_s = float(os.read(reads, 64))
    os.close(reads)
    assert hog.breach is not None
    return {"quota_ms": (ended_s - crossed_s) * 1e3, "quota_overshoot": hog.breach.peak_bytes / QUOTA_BYTES}


def gone_ms(backend: str) -> float:
    """From SIGKILL of a supervisor to the end of the last of its workers."""
    supervisor = subprocess.Popen([sys.executable, "-c", SUPERVISOR, backend], stdout=subprocess.PIPE)
    assert supervisor.stdout is not None
    endings = [os.pidfd_open(int(pid)) for pid in supervisor.stdout.readline().split()]
    poll = select.poll()
    for ending in endings:
        poll.register(ending, select.POLLIN)
    began_s = time.perf_counter()
    supervisor.send_signal(signal.SIGKILL)
    left = set(endings)
    while left:
        for ending, _ in poll.poll():
            poll.unregister(ending)
            left.discard(ending)
    took_ms = since_ms(began_s)
    supervisor.wait()
    supervisor.stdout.close()
    for ending in endings:
        os.close(ending)
    return took_ms


def python_ms() -> float:
    began_s = time.perf_counter()
    subprocess.run([sys.executable, "-I", "-S", "-c", ""], check=True)
    return since_ms(began_s)


def resident_mb(pid: int) -> float:
    tree = WatchedTree(pid, None, lambda: None)
    try:
        return tree.sample(0.0) / 1e6
    finally:
        tree.close()


def since_ms(began_s: float) -> float:
    return (time.perf_counter() - began_s) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", default="asyncio", choices=["asyncio", "trio"])
    parser.add_argument("--repeat", type=int, default=9)
    options = parser.parse_args()
    logging.disable()
    rounds: list[dict[str, float]] = []
    for _ in range(options.repeat):
        found = anyio.run(warden_round, backend=options.backend)
        rounds.append(found | {"python_ms": python_ms(), "gone_ms": gone_ms(options.backend)})
    report = {name: round(statistics.median(each[name] for each in rounds), 2) for name in rounds[0]}
    best = {name: round(min(each[name] for each in rounds), 2) for name in rounds[0]}
    print(json.dumps({"options": vars(options), **report, "best": best}, indent=2))


if __name__ == "__main__":
    main()
