"""Actors in processes of their own, beside the bare sockets of the same run; JSON on stdout.

    python -m bench.placed [--backend asyncio|trio] [--repeat 3] [--scale 1.0] [--pinned]

`ask_64`, `tell`, `ask_1`: messages a second of `Counter.add(1)`, typed both ways, with 64 outstanding, one way, and one
at a time. The limit beside each is an echo of the same calls as bare msgpack over a socketpair, in a forked process
with a blocking loop, from the same kind of loop here: batched where ours batches. `of_limit` is ours over the limit;
both alternate, and medians are compared. `owner_us`, `process_us`: the least CPU time of each side a message.
`--pinned` holds all processes on one core, so that one at a time pays for no core that sleeps.

`spawn_ms`: spawn to `started`, while a spare process waits. `crash_to_reply_ms`: from the SIGKILL of the process to the
reply of the next incarnation, likewise. `forked_...`: the same without spares, from a warm zygote. `first_spawn_ms`:
with the zygote's own start. `worker_rss_mib`: of the process, nothing of the user's in it.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import socket
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
import msgpack as untyped_msgpack  # type: ignore[import-untyped]  # ships no types
import psutil

from actorflow import ActorRef, ActorSystem, Backoff, RestartIntensity, Subprocess
from actorflow.errors import AskError
from bench._placed_actors import Counter

Case = Callable[[int], Awaitable[float]]
"""Handles so many messages and gives the seconds they took."""

msgpack: Any = untyped_msgpack
CALL = [1, 1, "add", [1], None]
SETTLE_S = 0.15
"""Until the process that waits next is there."""


async def ask_many(counter: ActorRef[Counter], outstanding: int, count: int) -> float:
    async def asks() -> None:
        for _ in range(count // outstanding):
            await counter.ask(Counter.add, 1)

    started = time.perf_counter()
    async with anyio.create_task_group() as tasks:
        for _ in range(outstanding):
            tasks.start_soon(asks)
    return time.perf_counter() - started


async def tell_many(counter: ActorRef[Counter], count: int) -> float:
    started = time.perf_counter()
    for _ in range(count):
        await counter.tell(Counter.add, 1)
    await counter.ask(Counter.get)
    return time.perf_counter() - started


def forked_echo() -> socket.socket:
    """A process that answers each msgpack call with its number, until the socket ends."""
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        ours.close()
        unpacker, packer = msgpack.Unpacker(), msgpack.Packer()
        count = 0
        while data := theirs.recv(1 << 16):
            unpacker.feed(data)
            answers: list[bytes] = []
            for call in unpacker:
                count += call[3][0]
                answers.append(packer.pack([6, call[1], count]))
            theirs.sendall(b"".join(answers))
        os._exit(0)
    theirs.close()
    return ours


async def bare(outstanding: int, count: int) -> float:
    """The same calls without actors: as many as `outstanding` packed into one write."""
    sock = forked_echo()
    sock.setblocking(False)
    packer, unpacker = msgpack.Packer(), msgpack.Unpacker()
    stream = BareStream(sock)
    started = time.perf_counter()
    sent = received = 0
    while received < count:
        batch = min(outstanding - (sent - received), count - sent)
        if batch > 0:
            await stream.send(b"".join([packer.pack(CALL) for _ in range(batch)]))
            sent += batch
        unpacker.feed(await stream.receive())
        received += sum(1 for _ in unpacker)
    seconds = time.perf_counter() - started
    sock.close()
    await anyio.to_thread.run_sync(os.wait)
    return seconds


class BareStream:
    """Bytes over a socket on either loop."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    async def send(self, data: bytes) -> None:
        while data:
            try:
                data = data[self.sock.send(data) :]
            except BlockingIOError:
                await anyio.wait_writable(self.sock)

    async def receive(self) -> bytes:
        while True:
            try:
                return self.sock.recv(1 << 16)
            except BlockingIOError:
                await anyio.wait_readable(self.sock)


async def compare(counter: ActorRef[Counter], ours: Case, limit: Case, count: int, repeat: int) -> dict[str, float]:
    """Rates of both, in turn, and what CPU time ours took on each side."""
    rates: dict[str, list[float]] = {"ours": [], "limit": []}
    owner_s, process_s = math.inf, math.inf
    for _ in range(repeat):
        rates["limit"].append(count / await limit(count))
        before_s, before_there_s = time.process_time(), await counter.ask(Counter.cpu_s)
        rates["ours"].append(count / await ours(count))
        process_s = min(process_s, await counter.ask(Counter.cpu_s) - before_there_s)
        owner_s = min(owner_s, time.process_time() - before_s)
    medians = {name: statistics.median(found) for name, found in rates.items()}
    return {
        "per_s": round(medians["ours"]),
        "limit_per_s": round(medians["limit"]),
        "of_limit": round(medians["ours"] / medians["limit"], 3),
        "owner_us": round(1e6 * owner_s / count, 1),
        "process_us": round(1e6 * process_s / count, 1),
    }


async def lives(system: ActorSystem, repeat: int) -> dict[str, float]:
    spawns: list[float] = []
    crashes: list[float] = []
    for _ in range(5 * repeat):
        await anyio.sleep(SETTLE_S)
        began = time.perf_counter()
        counter = await system.spawn(Counter, placement=Subprocess())
        spawns.append(time.perf_counter() - began)
        await anyio.sleep(SETTLE_S)
        os.kill(await counter.ask(Counter.pid), 9)
        began = time.perf_counter()
        while True:
            try:
                await counter.ask(Counter.get)
                break
            except AskError:  # it was in hand
                continue
        crashes.append(time.perf_counter() - began)
        await system.stop(counter)
    return {
        "spawn_ms": round(1e3 * statistics.median(spawns), 2),
        "crash_to_reply_ms": round(1e3 * statistics.median(crashes), 2),
    }


def actor_system(*, spare_processes: int = 1) -> ActorSystem:
    restarts = RestartIntensity(max_restarts=1000)
    return ActorSystem(backoff=Backoff(base_s=0.001), intensity=restarts, spare_processes=spare_processes)


async def measured(repeat: int, scale: float) -> dict[str, object]:
    report: dict[str, object] = {}
    async with actor_system() as system:
        began = time.perf_counter()
        counter = await system.spawn(Counter, placement=Subprocess())
        report["first_spawn_ms"] = round(1e3 * (time.perf_counter() - began), 1)
        await counter.ask(Counter.get)
        report["worker_rss_mib"] = round(
            psutil.Process(await counter.ask(Counter.pid)).memory_info().rss / (1 << 20), 1
        )
        many, few = int(6_400 * scale), int(1_000 * scale)
        report["ask_64"] = await compare(counter, partial(ask_many, counter, 64), partial(bare, 64), many, repeat)
        report["tell"] = await compare(counter, partial(tell_many, counter), partial(bare, 256), 3 * many, repeat)
        report["ask_1"] = await compare(counter, partial(ask_many, counter, 1), partial(bare, 1), few, repeat)
        report |= await lives(system, repeat)
    async with actor_system(spare_processes=0) as system:
        await system.spawn(Counter, placement=Subprocess())
        report |= {f"forked_{name}": value for name, value in (await lives(system, repeat)).items()}
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", choices=["asyncio", "trio"], default="asyncio")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--pinned", action="store_true")
    given = parser.parse_args()
    if given.pinned:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    logging.disable()  # each crash below is wanted
    report = anyio.run(measured, given.repeat, given.scale, backend=given.backend)
    json.dump({"backend": given.backend, **report}, sys.stdout, indent=2)


if __name__ == "__main__":
    main()
