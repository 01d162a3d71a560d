"""Wrong uses of actors, each refused by both type checkers: an ignore that is not needed is an error here.

Read, never imported. tests/actors/test_typing.py runs both checkers on it.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from actorflow.actors.actor import Actor
from actorflow.actors.handler import handler
from actorflow.actors.ref import ActorRef
from actorflow.actors.router import Pool
from actorflow.actors.system import ActorSystem


class Counter(Actor):
    @handler
    async def add(self, by: int = 1) -> int:
        return by

    @handler
    async def name(self, first: str, *, last: str) -> str:
        return first + last

    @handler
    async def no_reply(self) -> None: ...

    async def hidden(self) -> int:
        return 1

    @handler
    async def missing_return(self) -> int:  # type: ignore[return]
        self.n = 1

    @handler
    async def wrong_return(self) -> int:
        return "one"  # type: ignore[return-value]


class Special(Counter):
    @handler
    async def only_here(self) -> int:
        return 2


class Other(Actor):
    @handler
    async def add(self, by: int = 1) -> int:
        return by


class NotAsync(Actor):
    @handler  # type: ignore[arg-type]
    def plain(self) -> int:
        return 1


async def wrong_uses(counter: ActorRef[Counter], pool: Pool[Counter], system: ActorSystem) -> None:
    await counter.ask(Other.add, 1)  # type: ignore[arg-type]
    await counter.tell(Other.add, 1)  # type: ignore[arg-type]
    counter.try_tell(Other.add, 1)  # type: ignore[arg-type]
    await counter.ask(Special.only_here)  # type: ignore[arg-type]
    await counter.ask(Counter.add, "one")  # type: ignore[arg-type]
    await counter.ask(Counter.add, by="one")  # type: ignore[arg-type]
    await counter.ask(Counter.add, 1, 2)  # type: ignore[call-arg]
    await counter.ask(Counter.add, bye=1)  # type: ignore[call-arg]
    await counter.ask(Counter.name, "a")  # type: ignore[call-arg]
    await counter.ask(Counter.name, "a", "b")  # type: ignore[call-arg]
    await counter.ask(Counter.name, last="b")  # type: ignore[call-arg]
    await counter.tell(Counter.add, "one")  # type: ignore[arg-type]
    counter.try_tell(Counter.add, "one")  # type: ignore[arg-type]
    text: str = await counter.ask(Counter.add)  # type: ignore[arg-type]
    number: int = await counter.ask(Counter.no_reply)  # type: ignore[arg-type]
    await counter.ask(Counter.hidden)  # type: ignore[arg-type]
    await counter.tell(Counter.hidden)  # type: ignore[arg-type]
    await counter.ask(Counter.unknown)  # type: ignore[attr-defined]
    await counter.ask("add", 1)  # type: ignore[arg-type]
    await counter.add(1)  # type: ignore[attr-defined]
    await pool.ask(Other.add, 1)  # type: ignore[arg-type]
    await pool.tell(Counter.add, "one")  # type: ignore[arg-type]
    other: ActorRef[Other] = counter  # type: ignore[assignment]
    special: ActorRef[Special] = counter  # type: ignore[assignment]
    wrong: ActorRef[Other] = await system.spawn(Counter)  # type: ignore[arg-type]
    await system.spawn(Counter())  # type: ignore[arg-type]
    await system.spawn(int)  # type: ignore[type-var]
    await system.spawn(Counter, restart="sometimes")  # type: ignore[arg-type]
    print(text, number, other, special, wrong)
