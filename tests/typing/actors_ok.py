"""Right uses of actors, read by both type checkers; tests/actors/test_typing.py also runs them."""

from __future__ import annotations

from functools import partial
from typing import Any, assert_type

from actorflow.actors.actor import Actor
from actorflow.actors.deferred import Deferred
from actorflow.actors.handler import Handler, handler
from actorflow.actors.monitor import Down
from actorflow.actors.ref import ActorRef
from actorflow.actors.system import ActorSystem


class InsufficientFunds(Exception):
    pass


class Counter(Actor):
    def __init__(self, start: int = 0) -> None:
        self.n = start

    @handler
    async def add(self, by: int = 1) -> int:
        self.n += by
        return self.n

    @handler(raises=(InsufficientFunds,), redeliver=1)
    async def take(self, amount: int, *, note: str = "") -> str:
        if amount > self.n:
            raise InsufficientFunds(note)
        return f"{note}{amount}"

    @handler
    async def odd_names(self, method: str, args: int, kwargs: bool = False) -> tuple[str, int, bool]:
        """Parameters may be called what `ask` calls its own."""
        return method, args, kwargs

    @handler
    async def reset(self) -> None:
        self.n = 0

    @handler
    async def later(self) -> int:
        owed: Deferred[int] = self.context.defer()
        owed.reply(self.n)
        return owed.hold()


class Doubler(Counter):
    @handler
    async def add(self, by: int = 1) -> int:
        return await super().add(2 * by)

    @handler
    async def double(self) -> int:
        self.n *= 2
        return self.n


class Parent(Actor):
    def __init__(self) -> None:
        self.downs: list[Down] = []

    async def started(self) -> None:
        child = await self.context.spawn(partial(Counter, start=1), name="child")
        assert_type(child, ActorRef[Counter])
        quick = self.context.spawn_nowait(Counter, restart="temporary")
        self.context.monitor(quick)
        self.context.timers.after(3600.0, Parent.watch, child)

    @handler
    async def watch(self, ref: ActorRef[Counter]) -> int:
        return await ref.ask(Counter.add, 1)

    async def down(self, down: Down) -> None:
        self.downs.append(down)


async def anyone(ref: ActorRef[Counter]) -> int:
    return await ref.ask(Counter.add, by=3)


async def generic(ref: ActorRef[Counter], method: Handler[Counter, [int], int]) -> int:
    return await ref.ask(method, 2)


async def right_uses() -> list[Any]:
    """Runs each of them."""
    async with ActorSystem() as system:
        counter = await system.spawn(partial(Counter, start=5), name="counter")
        assert_type(counter, ActorRef[Counter])
        await counter.tell(Counter.add, 2)
        assert_type(counter.try_tell(Counter.add), bool)
        n = await counter.ask(Counter.add, by=3)
        assert_type(n, int)
        taken = await counter.ask(Counter.take, 1, note="one ")
        assert_type(taken, str)
        odd = await counter.ask(Counter.odd_names, method="m", args=1, kwargs=True)
        assert_type(odd, tuple[str, int, bool])
        assert_type(await counter.ask(Counter.reset), None)
        later = await counter.ask(Counter.later)
        assert_type(later, int)

        doubler = await system.spawn(Doubler)
        assert_type(doubler, ActorRef[Doubler])
        base: ActorRef[Counter] = doubler
        through_base = await anyone(base)
        doubled = await doubler.ask(Doubler.double)
        inherited = await doubler.ask(Counter.add, 1)
        named = await doubler.ask(Doubler.add, 1)
        passed = await generic(doubler.options(on_restarting="fail"), Counter.add)

        parent = await system.spawn(Parent)
        watched = await parent.ask(Parent.watch, base)
        pool = await system.spawn_pool(Counter, size=2, routing="least_loaded")
        pooled = await pool.ask(Counter.add, 4)
        assert_type(pooled, int)
        plain = await Counter(1).add(2)
        assert_type(plain, int)
        return [n, taken, odd, later, through_base, doubled, inherited, named, passed, watched, pooled, plain]
