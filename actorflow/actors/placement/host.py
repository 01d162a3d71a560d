"""Host: the other half of a placed actor, inside its process: a system of its own that runs its code.

What the owner sends is put into the actor's mailbox here, a window of it at most; how far the actor has come is counted
in shared memory, which outlives this process. A crash is only reported: the owner decides what follows.
"""

from __future__ import annotations

import contextlib
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import anyio

from actorflow.actors.codec import DecodeError
from actorflow.actors.dead_letters import DeadLetterReason
from actorflow.actors.envelope import NEVER_S
from actorflow.actors.factory import FactorySpec, load_factory
from actorflow.actors.mailbox import NOTHING_YET
from actorflow.actors.placement.arrivals import Arrival, ArrivedAsk
from actorflow.actors.placement.flight import Progress
from actorflow.actors.placement.frames import TOLD, Kind
from actorflow.actors.placement.host_cell import HostCell
from actorflow.actors.placement.link import Link
from actorflow.actors.placement.outgoing import Outgoing
from actorflow.actors.placement.passing import Address
from actorflow.actors.placement.sight import pack_sight
from actorflow.actors.ref import cell_of
from actorflow.actors.system import ActorSystem
from actorflow_supervisors.exit_reason import ExitReason, InitFailed, Shutdown
from actorflow_supervisors.policy import Restart
from actorflow_transports.errors import TransportError

if TYPE_CHECKING:
    from collections.abc import Callable

    from actorflow.actors.actor import Actor
    from actorflow.actors.cell import Cell
    from actorflow.actors.mailbox import Mailbox
    from actorflow_supervisors.child import ChildPolicy
    from actorflow_transports.interface import Connection


class HostSystem(ActorSystem):
    """The actors of a host's process."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.host = host

    def new_cell(
        self, parent: Cell | None, factory: Callable[[], Actor], name: str | None, policy: ChildPolicy, mailbox: Mailbox
    ) -> Cell:
        return HostCell(self.host, self, parent, factory, name, policy, mailbox)


class Host:
    """One placed actor's process, from its start to its end.

    acked: up to which message the owner hears of the end. is_lost: the owner can be told nothing any more.
    """

    def __init__(self, connection: Connection, progress: Progress) -> None:
        self.progress = progress
        self.system = HostSystem(self)
        self.cell: HostCell | None = None
        self._connection = connection
        self.acked = 0
        self.is_lost = False

    async def __aenter__(self) -> Self:
        await self.system.__aenter__()
        self._outgoing = Outgoing(self.system.seam)
        self.link = Link(self.system, self.send)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.link.close("its owner is gone")
        await self.system.__aexit__(kind, error, trace)

    async def run(self, module: str, qualname: str, arguments: bytes, node: str, key: int, path: str) -> None:
        """Be that actor until it ends, or until the owner is gone."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._outgoing.write, self._connection)
            tasks.start_soon(self._receive_until_lost, tasks.cancel_scope)
            try:
                factory = load_factory(FactorySpec(module, qualname, arguments))
            except Exception as error:  # noqa: BLE001 - the user's module may raise anything
                await self._say_goodbye(InitFailed(error))
            else:
                await self._say_goodbye(await self._lived(factory, Address(node, key, path)))
            tasks.cancel_scope.cancel()

    async def _lived(self, factory: Any, address: Address) -> ExitReason:
        policy = self.system.policy_for(Restart.temporary, None, None, None)
        ref = self.system.spawn_below(None, factory, None, policy, None)
        cell = self.cell = cell_of(ref)  # type: ignore[assignment]  # made by the line above
        assert isinstance(cell, HostCell)
        cell.path_there = address.path
        self.link.aliases[cell] = address
        down = await self.system.down(ref)
        return down.reason

    async def _say_goodbye(self, reason: ExitReason) -> None:
        """The last frame; what was sent before it is on its way, too, when this returns."""
        self._outgoing.frames.append([Kind.ended, self.link.passing.pack_reason(reason)])
        await self._outgoing.finish(self._connection)

    # What goes out.

    def send(self, frame: list[Any]) -> None:
        self._outgoing.add(frame)

    def reply(self, number: int, how: int, body: object) -> None:
        """With others while the actor has more to do; else at once, since who waits for it would wait for nothing."""
        frames = self._outgoing.frames
        if frames and frames[-1][0] == Kind.replies and len(frames[-1]) < MAX_REPLIES:
            frames[-1] += (number, how, body)
        else:
            self._outgoing.add([Kind.replies, number, how, body])
        if self.cell is None or not self.cell.inbox.items or len(frames[-1]) >= MAX_REPLIES:
            self._outgoing.flush()

    def up(self, cell: HostCell) -> None:
        """The actor has started."""
        cls = type(cell.actor)
        self.send([Kind.up, f"{cls.__module__}:{cls.__qualname__}"])

    def finished(self, number: int, *, is_told: bool) -> None:
        """is_told: the owner will hear of it by an answer."""
        self.progress.finished = number
        if is_told:
            self.acked = number
        else:
            self.tell_finished(number)

    def tell_finished(self, number: int) -> None:
        """Of all up to this one, at once: the owner may have more."""
        self.acked = number
        self._outgoing.add([Kind.done, number])
        self._outgoing.flush()

    def letter(self, name: str, reason: DeadLetterReason, errors: tuple[BaseException, ...]) -> None:
        """A dead letter belongs to the owner's."""
        self.send([Kind.letter, name, reason.value, "; ".join(map(str, errors))])

    # What comes in.

    async def _receive_until_lost(self, scope: anyio.CancelScope) -> None:
        with contextlib.suppress(TransportError, DecodeError):
            await self._connection.receive_into(self._take)
        self.is_lost = True
        scope.cancel()

    def _take(self, frames: list[list[Any]]) -> None:
        cell = self.cell
        for frame in frames:
            match frame[0]:
                case Kind.messages if cell is not None:
                    self._arrive(cell, frame)
                case Kind.drop if cell is not None:
                    cell.asker_of_gone(frame[1])
                case Kind.look if cell is not None:
                    self.send([Kind.seen, pack_sight(cell, self.link.passing)])
                case Kind.leave if cell is not None:
                    cell.leave(Shutdown(frame[1]))
                case Kind.stop if cell is not None:
                    cell.supervisor.stop_child_nowait(cell, Shutdown(frame[1]))
                case _:
                    self.link.receive(frame)

    def _arrive(self, cell: HostCell, frame: list[Any]) -> None:
        fields = iter(frame)
        next(fields)
        number = next(fields)
        arrived: list[Any] = []
        for name, parcel, left_s in zip(fields, fields, fields, strict=True):
            if left_s is TOLD:
                arrived.append(Arrival(number, name, parcel))
            else:
                deadline_s = NEVER_S if left_s is None else self.link.deadline_s(left_s)
                arrived.append(ArrivedAsk(self, number, name, parcel, cell, deadline_s))
            number += 1
        inbox = cell.inbox
        if inbox.items is NOTHING_YET:
            inbox.put(arrived.pop(0))
        inbox.items += arrived
        slot, inbox.parked = inbox.parked, None
        if slot is not None and not slot.done():
            self.system.seam.resume(slot, None)


MAX_REPLIES = 3 * 32
"""Fields of replies that leave together, while more messages wait."""
