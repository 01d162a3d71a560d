"""xoscar in one process, by its LocalActorRef: an ask runs in the caller under the actor's lock; a tell is a task."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from bench._loops import run_on
from bench.peers._in_loop import loop_of_environment
from bench.peers._subject import Case, answer, peer

RING = 1_000
LoopWork = Callable[[str, int], Awaitable[float]]


class Sink:
    """What the actor class is made of, with xoscar's own base."""

    def __init__(self) -> None:
        self.n = 0

    async def put(self, item: int) -> None:
        self.n += item

    async def total(self) -> int:
        return self.n


class Link:
    def __init__(self) -> None:
        self.following: Any = None
        self.ended = asyncio.Event()

    async def connect(self, address: str, uid: str) -> None:
        self.following = await peer("xoscar").actor_ref(address, uid)

    async def pass_on(self, left: int) -> None:
        if left:
            await self.following.pass_on.tell(left - 1)
        else:
            self.ended.set()

    async def wait(self) -> None:
        await self.ended.wait()


def cases() -> Mapping[str, Case]:
    xoscar = peer("xoscar")
    loop = loop_of_environment()
    actor, stateless = xoscar.Actor, xoscar.StatelessActor
    sink = type("SinkActor", (Sink, actor), {})
    link = type("LinkActor", (Link, stateless), {})

    async def in_pool(work: LoopWork, count: int) -> float:
        pool = await xoscar.create_actor_pool("127.0.0.1:0", n_process=0)
        async with pool:
            return await work(pool.external_address, count)

    async def made(address: str, kind: Any, uid: str) -> Any:
        await xoscar.create_actor(kind, address=address, uid=uid)
        return await xoscar.actor_ref(address, uid)

    async def tell(address: str, count: int) -> float:
        ref = await made(address, sink, "sink")
        began_s = time.perf_counter()
        for _ in range(count):
            await ref.put.tell(1)
        while await ref.total() < count:  # noqa: ASYNC110 - its tells are tasks, and nothing says when they are done
            await asyncio.sleep(0)
        return time.perf_counter() - began_s

    async def ask(address: str, count: int) -> float:
        ref = await made(address, sink, "sink")
        began_s = time.perf_counter()
        for _ in range(count):
            await ref.total()
        return time.perf_counter() - began_s

    async def ask_64(address: str, count: int) -> float:
        ref = await made(address, sink, "sink")

        async def asker() -> None:
            for _ in range(count // 64):
                await ref.total()

        began_s = time.perf_counter()
        await asyncio.gather(*(asker() for _ in range(64)))
        return time.perf_counter() - began_s

    async def ring(address: str, count: int) -> float:
        refs = [await made(address, link, f"link{index}") for index in range(RING)]
        for index, ref in enumerate(refs):
            await ref.connect(address, f"link{(index + 1) % RING}")
        began_s = time.perf_counter()
        await refs[0].pass_on.tell(count)
        await refs[count % RING].wait()
        return time.perf_counter() - began_s

    async def spawn_stop(address: str, count: int) -> float:
        began_s = time.perf_counter()
        for number in range(count):
            await xoscar.destroy_actor(await xoscar.create_actor(sink, address=address, uid=f"sink{number}"))
        return time.perf_counter() - began_s

    works: dict[str, tuple[int, LoopWork]] = {
        "tell": (50_000, tell),
        "ask": (50_000, ask),
        "ask_64_askers": (64_000, ask_64),
        "ring_1_000": (20_000, ring),
        "spawn_stop": (2_000, spawn_stop),
    }

    def run(work: LoopWork, count: int) -> float:
        return run_on(loop, partial(in_pool, work, count))

    return {name: Case(count, partial(run, work)) for name, (count, work) in works.items()}


if __name__ == "__main__":
    answer("xoscar", cases)
