"""Pools: several actors of one kind behind one reference.

| routing      | a message goes to                                                               |
|--------------|---------------------------------------------------------------------------------|
| round_robin  | each member in turn                                                             |
| least_loaded | the member with the fewest messages waiting and in hand, the first of several   |
| hash         | the member that its first argument belongs to, the same for equal arguments     |

A member that has ended for good gets nothing; with `hash` only its share moves to others.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from itertools import count
from typing import Any, Generic, Literal, ParamSpec, TypeAlias, TypeVar
from zlib import crc32

from actorflow.actors.actor import Actor
from actorflow.actors.errors import ActorNotRunning
from actorflow.actors.handler import Handler
from actorflow.actors.mailbox import Mailbox
from actorflow.actors.ref import ActorRef, load_of
from actorflow_supervisors.policy import Restart, RestartName

A = TypeVar("A", bound=Actor)
A_co = TypeVar("A_co", bound=Actor, covariant=True)
P = ParamSpec("P")
R = TypeVar("R")


class Routing(StrEnum):
    """Which member of a pool gets a message; see the module's docstring."""

    round_robin = "round_robin"
    least_loaded = "least_loaded"
    hash = "hash"


RoutingName: TypeAlias = Literal["round_robin", "least_loaded", "hash"]


class PoolHost(Actor):
    """The parent of a pool's members; stopping it stops them."""

    def __init__(
        self, factory: Callable[[], Actor], size: int, restart: Restart | RestartName, mailbox: Mailbox | None
    ) -> None:
        self._factory = factory
        self._size = size
        self._restart: Restart | RestartName = restart
        self._mailbox = mailbox
        self.members: tuple[ActorRef[Any], ...] = ()

    async def started(self) -> None:
        self.members = tuple(
            [
                await self.context.spawn(self._factory, name=str(number), restart=self._restart, mailbox=self._mailbox)
                for number in range(self._size)
            ]
        )
        for member in self.members:
            self.context.monitor(member)  # one that gives up ends alone: only its share moves to the others


class Pool(Generic[A_co]):
    """Routes each message to one of its members; see the module's docstring.

    host: the parent of the members: `system.stop(pool.host)` stops the pool.
    """

    def __init__(
        self, host: ActorRef[PoolHost], members: tuple[ActorRef[A_co], ...], routing: Routing | RoutingName
    ) -> None:
        self.host = host
        self.members = members
        self.routing = Routing(routing)
        self._turns = count()

    async def ask(self, method: Handler[A_co, P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """`ActorRef.ask` of one member. Raises ActorNotRunning if none is left."""
        return await self._pick(args, kwargs).ask(method, *args, **kwargs)

    async def tell(self, method: Handler[A_co, P, Any], /, *args: P.args, **kwargs: P.kwargs) -> None:
        """`ActorRef.tell` to one member. Raises ActorNotRunning if none is left."""
        await self._pick(args, kwargs).tell(method, *args, **kwargs)

    def try_tell(self, method: Handler[A_co, P, Any], /, *args: P.args, **kwargs: P.kwargs) -> bool:
        """`ActorRef.try_tell` to one member. Raises ActorNotRunning if none is left."""
        return self._pick(args, kwargs).try_tell(method, *args, **kwargs)

    def at(self, key: object) -> ActorRef[A_co]:
        """The running member that `key` belongs to; equal keys of one type, in any process, give the same one."""
        data = repr(key).encode()
        return max(self._running(), key=lambda member: (crc32(data, crc32(member.path.encode())), member.path))

    def _pick(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ActorRef[A_co]:
        match self.routing:
            case Routing.round_robin:
                running = self._running()
                return running[next(self._turns) % len(running)]
            case Routing.least_loaded:
                return min(self._running(), key=load_of)
            case Routing.hash:
                return self.at(args[0] if args else next(iter(kwargs.values()), None))

    def _running(self) -> list[ActorRef[A_co]]:
        running = [member for member in self.members if member.running]
        if not running:
            raise ActorNotRunning(self.host.path, "has no member left that runs")
        return running
