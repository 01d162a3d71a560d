"""What bench/actors.py times: our actors, and the raw limits of the loop they are on.

Limits: `batch` is a deque drained in place by one parked reader that awaits an async function for each item; `hop` is a
future answered by a task that was woken by another future, two turns of the loop; `ring` passes one token through as
many parked tasks; `spawn` starts and ends native tasks.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections import deque
from collections.abc import Awaitable, Callable

import anyio
import anyio.lowlevel

from actorflow.actors.actor import Actor
from actorflow.actors.handler import handler
from actorflow.actors.ref import ActorRef
from actorflow.actors.system import ActorSystem
from actorflow_supervisors.backoff import Backoff
from actorflow_supervisors.intensity import RestartIntensity
from actorflow_supervisors.loop import Slot, current_seam

Clock = Callable[[], float]
"""Seconds: CPU where nothing ever waits, so that it matters little what else the machine does, else of the wall."""

Case = Callable[[int, Clock], Awaitable[float]]
"""Runs so many operations and gives the seconds they took."""


class Sink(Actor):
    def __init__(self) -> None:
        self.n = 0

    @handler
    async def put(self, item: int) -> None:
        self.n += item

    @handler
    async def total(self) -> int:
        return self.n

    @handler
    async def crash(self) -> None:
        raise ValueError("boom")


class Attempt(Actor):
    """One attempt of a task, as the runner spawns it: told once, then gone."""

    @handler
    async def run(self, done: Callable[[], None]) -> None:
        done()
        self.context.stop()


class Link(Actor):
    """One place in a ring."""

    next: ActorRef[Link]

    @handler
    async def connect(self, following: ActorRef[Link]) -> None:
        self.next = following

    @handler
    async def pass_on(self, left: int, done: Callable[[], None]) -> None:
        if left:
            await self.next.tell(Link.pass_on, left - 1, done)
        else:
            done()


# Limits.


async def limit_batch(count: int, clock: Clock) -> float:
    seam = current_seam()
    items: deque[int] = deque()
    parked: list[Slot] = []
    state = Sink()
    ended = seam.waiter()

    async def put(item: int) -> None:
        state.n += item

    async def reader() -> None:
        left = count
        while left:
            while items:
                await put(items.popleft())
                left -= 1
            if left:
                slot = seam.slot()
                parked.append(slot)
                await slot

    async with seam.open_home() as home:
        home.spawn(reader, on_done=ended.wake)
        await anyio.lowlevel.checkpoint()
        begun_s = clock()
        for _ in range(count):
            items.append(1)
            if parked:
                parked.pop().set_result(None)
        await ended.wait()
        return clock() - begun_s


async def limit_hop(count: int, clock: Clock) -> float:
    seam = current_seam()
    requests: list[Slot] = [seam.slot()]

    async def server() -> None:
        while True:
            reply: Slot | None = await requests[0]
            if reply is None:
                return
            requests[0] = seam.slot()
            reply.set_result(1)

    async with seam.open_home() as home:
        home.spawn(server)
        await anyio.lowlevel.checkpoint()
        begun_s = clock()
        for _ in range(count):
            reply = seam.slot()
            requests[0].set_result(reply)
            await reply
        took_s = clock() - begun_s
        requests[0].set_result(None)
        return took_s


RING = 1_000


async def limit_ring(count: int, clock: Clock) -> float:
    seam = current_seam()
    slots = [seam.slot() for _ in range(RING)]
    ended = seam.waiter()

    async def place(index: int) -> None:
        following = (index + 1) % RING
        while True:
            left: int = await slots[index]
            slots[index] = seam.slot()
            if left == 0:
                ended.wake()
            if left <= 0:
                return
            slots[following].set_result(left - 1)

    async with seam.open_home() as home:
        for index in range(RING):
            home.spawn(place, index)
        await anyio.lowlevel.checkpoint()
        begun_s = clock()
        slots[0].set_result(count)
        await ended.wait()
        return clock() - begun_s


async def limit_spawn(count: int, clock: Clock) -> float:
    seam = current_seam()
    left = [count]
    ended = seam.waiter()

    async def task() -> None:
        left[0] -= 1
        if not left[0]:
            ended.wake()

    async with seam.open_home() as home:
        begun_s = clock()
        for number in range(count):
            home.spawn(task)
            if number % 100 == 99:
                await seam.checkpoint()
        await ended.wait()
        return clock() - begun_s


# Ours.


async def tell(count: int, clock: Clock) -> float:
    async with ActorSystem() as system:
        ref = await system.spawn(Sink)
        begun_s = clock()
        for _ in range(count):
            await ref.tell(Sink.put, 1)
        await ref.ask(Sink.total)
        return clock() - begun_s


async def try_tell(count: int, clock: Clock) -> float:
    """As many as the mailbox holds at a time, until they are handled."""
    async with ActorSystem() as system:
        ref = await system.spawn(Sink)
        begun_s = clock()
        for _ in range(count // 1_000):
            for _ in range(999):
                ref.try_tell(Sink.put, 1)
            await ref.ask(Sink.total)
        return clock() - begun_s


async def ask(count: int, clock: Clock) -> float:
    async with ActorSystem() as system:
        ref = await system.spawn(Sink)
        with anyio.fail_after(3600):
            begun_s = clock()
            for _ in range(count):
                await ref.ask(Sink.total)
            return clock() - begun_s


async def ask_64(count: int, clock: Clock) -> float:
    async def asker(ref: ActorRef[Sink]) -> None:
        with anyio.fail_after(3600):
            for _ in range(count // 64):
                await ref.ask(Sink.total)

    async with ActorSystem() as system:
        ref = await system.spawn(Sink)
        begun_s = clock()
        async with anyio.create_task_group() as group:
            for _ in range(64):
                group.start_soon(asker, ref)
        return clock() - begun_s


async def ring(count: int, clock: Clock) -> float:
    async with ActorSystem() as system:
        refs = [await system.spawn(Link) for _ in range(RING)]
        for index, ref in enumerate(refs):
            await ref.ask(Link.connect, refs[(index + 1) % RING])
        ended = system.seam.waiter()
        begun_s = clock()
        await refs[0].tell(Link.pass_on, count, ended.wake)
        await ended.wait()
        return clock() - begun_s


async def spawn_stop(count: int, clock: Clock) -> float:
    async with ActorSystem() as system:
        begun_s = clock()
        for number in range(count):
            ref = system.spawn_nowait(Sink, restart="temporary")
            if number % 100 == 99:
                await system.checkpoint()
            system.stop_nowait(ref)
        while system.cells:
            await system.checkpoint()
        return clock() - begun_s


async def attempts(count: int, clock: Clock) -> float:
    """spawn_nowait, tell, the handler runs and stops its actor; 64 at a time, as a map runs them."""
    async with ActorSystem() as system:
        left = [count]
        ended = system.seam.waiter()

        def start() -> None:
            ref = system.spawn_nowait(Attempt, restart="temporary")
            ref.try_tell(Attempt.run, done)

        def done() -> None:
            left[0] -= 1
            if left[0] >= 64:
                start()
            elif not left[0]:
                ended.wake()

        begun_s = clock()
        for _ in range(64):
            start()
        await ended.wait()
        return clock() - begun_s


async def crash_reply(count: int, clock: Clock) -> float:
    often = RestartIntensity(max_restarts=10**9, max_seconds=1e-9)
    async with ActorSystem(intensity=often, backoff=Backoff(base_s=1e-9, cap_s=1e-9, reset_after_s=1e-9)) as system:
        ref = await system.spawn(Sink)
        begun_s = clock()
        for _ in range(count):
            ref.try_tell(Sink.crash)
            await ref.ask(Sink.total)
        return clock() - begun_s


async def idle_bytes(count: int) -> float:
    """Bytes of one actor that was started and never messaged, its task included."""
    async with ActorSystem() as system:
        await system.spawn(Sink)
        gc.collect()
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        refs = [await system.spawn(Sink, restart="temporary") for _ in range(count)]
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return (after - before) / len(refs)


async def stop_10_000() -> tuple[float, float]:
    """Seconds to stop 10,000 actors, and the longest gap between the turns of a neighbour meanwhile."""
    gaps_s: list[float] = []
    took_s = 0.0

    async def heart() -> None:
        while True:
            begun_s = time.perf_counter()
            await anyio.lowlevel.checkpoint()
            gaps_s.append(time.perf_counter() - begun_s)

    async with anyio.create_task_group() as group:
        system = ActorSystem()
        await system.__aenter__()
        for _ in range(10_000):
            await system.spawn(Sink)
        group.start_soon(heart)
        await anyio.lowlevel.checkpoint()
        begun_s = time.perf_counter()
        await system.__aexit__(None, None, None)
        took_s = time.perf_counter() - begun_s
        group.cancel_scope.cancel()
    return took_s, max(gaps_s)


CASES: dict[str, tuple[Case, Case, int]] = {
    "tell": (tell, limit_batch, 200_000),
    "try_tell": (try_tell, limit_batch, 200_000),
    "ask": (ask, limit_hop, 50_000),
    "ask_64_askers": (ask_64, limit_hop, 64_000),
    "ring_1_000": (ring, limit_ring, 100_000),
    "spawn_stop": (spawn_stop, limit_spawn, 20_000),
    "attempts": (attempts, limit_spawn, 20_000),
}
