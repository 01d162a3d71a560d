"""Actors that the tests place in processes of their own; importable there."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import anyio

from actorflow import Actor, ActorRef, handler
from actorflow.actors.deferred import Deferred


class OutOfStock(Exception):
    """A declared answer. left: how many there are."""

    def __init__(self, item: str, left: int) -> None:
        super().__init__(item, left)
        self.left = left


class Clerk(Actor):
    """Counts, and fails in every way there is."""

    def __init__(self, start: int = 0) -> None:
        self.count = start
        self.owed: list[Deferred[int]] = []

    @handler
    async def add(self, by: int = 1) -> int:
        self.count += by
        return self.count

    @handler
    async def get(self) -> int:
        return self.count

    @handler
    async def pid(self) -> int:
        return os.getpid()

    @handler
    async def echo(self, value: Any) -> Any:
        return value

    @handler
    async def raises(self) -> None:
        raise ValueError("the ledger is wrong")

    @handler(raises=(OutOfStock,))
    async def sell(self) -> None:
        raise OutOfStock("bolts", 3)

    @handler
    async def says_and_dies(self, words: str) -> None:
        print(words, file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

    @handler
    async def segfaults(self) -> None:
        ctypes.string_at(0)

    @handler
    async def garbles(self, data: bytes) -> None:
        """Write to the socket of this process, as code that got its descriptors wrong would."""
        os.write(3, data)
        await anyio.sleep_forever()

    @handler
    async def blocks(self) -> None:
        """Hold the loop of this process for ever."""
        while True:
            signal.pause()

    @handler
    async def exits(self, code: int) -> None:
        os._exit(code)

    @handler
    async def waits(self, ready: ActorRef[Gate]) -> None:
        await ready.ask(Gate.arrive)
        await anyio.sleep_forever()

    @handler
    async def holds(self, gate: ActorRef[Gate]) -> None:
        """Occupied until the gate opens."""
        await gate.ask(Gate.arrive)
        await gate.ask(Gate.opened)

    @handler
    async def lies(self) -> int:
        return "no number"  # type: ignore[return-value]  # what the test is about

    @handler
    async def defers(self) -> int:
        self.owed.append(self.context.defer())
        return 0

    @handler
    async def pays(self, amount: int) -> None:
        for owed in self.owed:
            owed.reply(amount)
        self.owed.clear()

    @handler
    async def hires(self) -> ActorRef[Clerk]:
        return await self.context.spawn(Clerk, name="apprentice")

    @handler
    async def asks(self, other: ActorRef[Clerk]) -> int:
        return await other.ask(Clerk.add, 5)

    @handler
    async def itself(self) -> ActorRef[Clerk]:
        return self.context.ref

    @handler
    async def leaves(self) -> None:
        self.context.stop()

    @handler
    async def allocates(self, mebibytes: int) -> int:
        return len(bytearray(os.urandom(1 << 20)) * mebibytes)

    @handler
    async def runs_out(self) -> None:
        raise MemoryError

    @handler
    async def hoards(self, mebibytes: int) -> None:
        hoard = bytearray(os.urandom(1 << 20)) * mebibytes
        await anyio.sleep_forever()
        del hoard

    @handler
    async def starts_process(self) -> int:
        process = await anyio.open_process(["sleep", "1000"], start_new_session=True)
        return process.pid

    @handler(redeliver=1)
    async def dies_once(self, marker: str) -> int:
        if not os.path.exists(marker):
            with open(marker, "w"):
                os.kill(os.getpid(), signal.SIGKILL)
        return self.count


class Stubborn(Actor):
    """Swallows cancellation for ever."""

    @handler
    async def clings(self, gate: ActorRef[Gate]) -> None:
        await gate.tell(Gate.arrive)  # not an ask: a stop that came during it would be obeyed
        while True:
            try:
                await anyio.sleep_forever()
            except BaseException:
                signal.pause()


class Unstartable(Actor):
    """Does not come up."""

    async def started(self) -> None:
        raise RuntimeError("the shop is closed")


class Watcher(Actor):
    """Hears of the end of another, wherever both are."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    @handler
    async def watches(self, other: ActorRef[Clerk]) -> None:
        self.context.monitor(other)

    async def down(self, down: Any) -> None:
        self.heard.append(type(down.reason).__name__)

    @handler
    async def news(self) -> list[str]:
        return self.heard


class Gate(Actor):
    """Lets a test wait for a handler in another process, and a handler for the test."""

    def __init__(self) -> None:
        self.arrived = anyio.Event()
        self.open = anyio.Event()
        self.waiting: list[Deferred[None]] = []

    @handler
    async def arrive(self) -> None:
        self.arrived.set()

    @handler
    async def opened(self) -> None:
        if not self.open.is_set():
            self.waiting.append(self.context.defer())

    @handler
    async def lets_in(self) -> None:
        self.open.set()
        for waiting in self.waiting:
            waiting.reply(None)


Spawn = Callable[..., Awaitable[ActorRef[Clerk]]]
