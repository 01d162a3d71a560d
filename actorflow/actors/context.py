"""Context: what an actor sees of its own place in the system."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, Unpack

from actorflow.actors.actor import Actor
from actorflow.actors.deferred import Deferred
from actorflow.actors.links import Link
from actorflow.actors.monitor import Monitor, start_monitor
from actorflow.actors.ref import ActorRef, cell_of
from actorflow.actors.router import Pool, Routing, RoutingName
from actorflow.actors.spawn_options import SpawnOptions
from actorflow.actors.stash import put_back, set_aside
from actorflow.actors.timers import Timers
from actorflow_supervisors.exit_reason import ExitReason, Normal, Shutdown
from actorflow_supervisors.policy import Restart, RestartName

if TYPE_CHECKING:
    from actorflow.actors.cell import Cell
    from actorflow.actors.mailbox import Mailbox
    from actorflow.actors.system import ActorSystem

A = TypeVar("A", bound=Actor)


class Context:
    """`self.context`: valid for one incarnation."""

    __slots__ = ("_cell",)

    def __init__(self, cell: Cell) -> None:
        self._cell = cell

    @property
    def ref(self) -> ActorRef[Any]:
        """This actor, to be handed to others; it stays valid over restarts."""
        return self._cell.ref

    @property
    def system(self) -> ActorSystem:
        return self._cell.system

    @property
    def path(self) -> str:
        """This actor's name below those of its parents: `etl/load`."""
        return self._cell.path

    @property
    def incarnation(self) -> int:
        """1 for the first, one more after each restart."""
        return self._cell.incarnation

    @property
    def deadline_s(self) -> float:
        """When the asker of the message in hand stops waiting, on the loop's clock; inf for never."""
        return self._cell.deadline_s

    @property
    def timers(self) -> Timers:
        """Messages to itself, later."""
        return Timers(self._cell)

    async def spawn(self, factory: Callable[[], A], **options: Unpack[SpawnOptions]) -> ActorRef[A]:
        """Spawn a child, which is stopped when this incarnation ends; see `ActorSystem.spawn`."""
        system = self._cell.system
        return await system.started(system.spawn_with(options, self._cell, factory))

    def spawn_nowait(self, factory: Callable[[], A], **options: Unpack[SpawnOptions]) -> ActorRef[A]:
        """Spawn a child without waiting for its `started`; see `ActorSystem.spawn_nowait`."""
        return self._cell.system.spawn_with(options, self._cell, factory)

    async def spawn_pool(
        self,
        factory: Callable[[], A],
        *,
        size: int,
        routing: Routing | RoutingName = Routing.round_robin,
        name: str | None = None,
        restart: Restart | RestartName = Restart.permanent,
        mailbox: Mailbox | None = None,
    ) -> Pool[A]:
        """Spawn a pool below this actor; see `ActorSystem.spawn_pool`."""
        return await self._cell.system.pool_below(self._cell, factory, size, routing, name, restart, mailbox)

    def stop(self, reason: ExitReason | None = None) -> None:
        """End this incarnation after the message in hand. The restart policy decides whether another one follows."""
        self._cell.leave(Normal() if reason is None else reason)

    def stop_child_nowait(self, ref: ActorRef[Any], reason: ExitReason | None = None) -> None:
        """Ask a child, or any other actor, to end; do not wait."""
        self._cell.system.stop_nowait(ref, Shutdown() if reason is None else reason)

    def monitor(self, ref: ActorRef[Any]) -> Monitor:
        """Have `down` called once, when the present incarnation of `ref` ends, or at once if it runs no more."""
        return start_monitor(self._cell, cell_of(ref))

    def link(self, ref: ActorRef[Any]) -> Link:
        """Share the fate of `ref` from now on: when one ends, and not normally, so does the other; see `links`."""
        return Link(self._cell, cell_of(ref))

    def defer(self) -> Deferred[Any]:
        """Take over the reply to the message in hand, to be given later."""
        return Deferred(self._cell, self._cell.current)

    def stash(self) -> NoReturn:
        """Set the message in hand aside and end its handler: it is not handled yet, and its asker goes on waiting.

        `unstash_all` brings it back, and so does the next incarnation. For an actor that cannot handle it now:
        `if self.connection is None: self.context.stash()`. At most as many as the mailbox holds are set aside. Raises
        StashFull, or RuntimeError outside a handler.
        """
        set_aside(self._cell)

    def unstash_all(self) -> None:
        """Bring back what was set aside: it is handled next, in the order in which it came."""
        put_back(self._cell)
