"""Incarnation: one life of a placed actor: a process, the connection to it, and the messages in flight."""

from __future__ import annotations

import contextlib
import errno
import logging
import math
import time
from typing import TYPE_CHECKING, Any

import anyio

from actorflow.actors.actor import Actor
from actorflow.actors.codec import DecodeError
from actorflow.actors.codec.type_names import UnknownType
from actorflow.actors.dead_letters import DeadLetterReason
from actorflow.actors.envelope import Ask
from actorflow.actors.errors import ProcessLost, RemoteError
from actorflow.actors.observer import ActorTree, PlacedProcess, View
from actorflow.actors.placement.exchange import Exchange
from actorflow.actors.placement.flight import Progress
from actorflow.actors.placement.frames import Kind, NotAFrame, pack_frame, read_frame
from actorflow.actors.placement.host_process import HostProcess
from actorflow.actors.placement.link import Link
from actorflow.actors.placement.passing import RESOLVER
from actorflow.actors.placement.places import places_of
from actorflow.actors.placement.sight import read_sight
from actorflow.actors.placement.stderr_tail import StderrTail
from actorflow_supervisors.exit_reason import Crashed, ExitReason, InitFailed, Killed, Shutdown, describe
from actorflow_supervisors.memory import MemoryQuotaExceeded, mebibytes
from actorflow_supervisors.process import Process, ProcessStartFailed, QuotaBreach
from actorflow_transports.errors import BadFrame, BadItem, FrameTooLarge
from actorflow_transports.interface import Connection, ConnectionOptions
from actorflow_transports.subprocess import from_socket

if TYPE_CHECKING:
    from actorflow.actors.placement.placed import PlacedCell

logger = logging.getLogger("actorflow.actors")

MAX_FRAME_BYTES = 128 << 20
GOODBYE_S = 2.0
"""Seconds that a process has to end after its actor, or its connection, has."""

OPTIONS = ConnectionOptions(encode=pack_frame, decode=read_frame, max_frame_bytes=MAX_FRAME_BYTES)


MAKES_ROOM = "its process makes room for a new one"
NOT_UNDERSTOOD = (BadFrame, FrameTooLarge, BadItem, NotAFrame, DecodeError)
"""What a process that is in order does not write."""


class Incarnation:
    """One process.

    lost: why it is gone though nobody asked it to go, None otherwise. made_room: it has ended for a new one.
    """

    def __init__(self, cell: PlacedCell) -> None:
        self.cell = cell
        self.system = cell.system
        self.lost: BaseException | None = None
        self.made_room = False
        self._changed = self.system.seam.waiter()
        self._is_up = False
        self._is_over = False
        self._reason: ExitReason | None = None
        self._broken: Exception | None = None
        self._is_leaving = False
        self._there: HostProcess | None = None
        self._below: tuple[ActorTree, ...] = ()
        self._told = anyio.Event()
        self._told.set()
        self._starting = anyio.CancelScope()
        self._places = places_of(self.system)
        self._link = Link(self.system, self._send)
        self._link.aliases[cell] = cell.address
        self._recycling = cell.placement.recycling
        self._exchange = Exchange(
            cell,
            self._link,
            self._take,
            None if self._recycling is None else self._make_room,
        )

    def wake(self) -> None:
        """The cell has a signal for it."""
        self._changed.wake()
        if not self._is_up:
            self._starting.cancel()

    async def run(self) -> ExitReason:
        """From the start of the process to its end; says why it ended."""
        cell = self.cell
        there: HostProcess | None = None
        try:
            with self._starting:
                max_age_s = None if self._recycling is None else self._recycling.max_age_s
                there = await self._places.take(cell.spec.module, max_age_s)
            if there is None:
                return cell.asked_to_end or Shutdown()
            there.process.limit(cell.placement.quota_bytes)
            async with from_socket(there.sock, OPTIONS, peer=f"the process of {cell.path!r}") as connection:
                return await self._live(there, connection)
        except ProcessStartFailed as error:
            return InitFailed(error)
        finally:
            if there is not None:
                await there.end()

    async def _live(self, there: HostProcess, connection: Connection) -> ExitReason:
        self._there = there
        cell, process, tail = self.cell, there.process, there.tail
        spec, address = cell.spec, cell.address
        self._send([Kind.spawn, spec.module, spec.qualname, spec.arguments, address.node, address.key, address.path])
        killed_after_s: float | None = None
        reason: ExitReason = Shutdown("its system was left")
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._receive, connection)
                tasks.start_soon(self._exchange.write, connection)
                tasks.start_soon(tail.run)
                killed_after_s = await self._until_over()
                await self._end(process, killed_after_s)
                connection.close()
                tasks.cancel_scope.cancel()
            tail.drain()
            if self._reason is None:
                reason = self._lost_reason(process, tail, killed_after_s)
            else:
                reason = self._refused_memory(self._reason, process) or self._reason
        finally:
            self._there = None
            self._land(there.progress, reason)
        return reason

    def _land(self, progress: Progress, reason: ExitReason) -> None:
        """Nothing comes any more: every message in flight is settled."""
        self._is_over = True
        self._told.set()
        self._link.close(describe(reason))
        self._exchange.land(progress, reason)

    async def _until_over(self) -> float | None:
        """Wait for the end, and ask for it when it is wanted. Returns the grace if that was over before."""
        cell = self.cell
        while not self._over() and not cell.asked_to_end:
            await self._changed.wait()
        if self._over():
            return None
        grace_s = cell.policy.shutdown_s
        why = cell.asked_to_end
        self._send([Kind.stop, "" if why is None else describe(why), grace_s])
        with anyio.move_on_after(math.inf if grace_s is None else grace_s):
            while not self._over():
                await self._changed.wait()
        return None if self._over() else grace_s

    def _over(self) -> bool:
        return self._is_over

    async def _end(self, process: Process, killed_after_s: float | None) -> None:
        """The process has said goodbye, was lost, or did not stop in time: it is gone when this returns."""
        with anyio.CancelScope(shield=True):  # bounded
            if (
                killed_after_s is None and self._broken is None
            ):  # also without a goodbye: what ends it has a name, which SIGKILL would hide
                with anyio.move_on_after(GOODBYE_S):
                    await process.wait()
            if process.exit is None:
                process.kill()
                await process.wait()

    def _lost_reason(self, process: Process, tail: StderrTail, killed_after_s: float | None) -> ExitReason:
        ended = process.exit
        assert ended is not None
        held_bytes = process.last_rss_bytes or ended.peak_rss_bytes or 0  # it may have been too short for a sample
        breach = process.breach
        how = str(ended) if breach is None else f"{ended}: it used {_used(breach)}"
        if self._broken is not None:  # the kill, or the end of the connection before it: both were this side's
            how = f"its owner: it wrote what is no frame ({self._broken})"
        self.lost = lost = ProcessLost(process.pid, how, held_bytes, tail.last_lines)
        if killed_after_s is not None:
            detail = f"did not stop within {killed_after_s:g} s, so its process was killed"
            logger.error("actor %s %s", self.cell.path, detail)
            return Killed("timeout", detail, signal=ended.signal, exit_code=ended.exit_code)
        if breach is None and not self._is_up:
            return InitFailed(lost)
        return Killed(
            "signal" if breach is None else "memory",
            lost.brief if breach is None else f"used {_used(breach)}",
            signal=ended.signal,
            exit_code=ended.exit_code,
            peak_rss_bytes=ended.peak_rss_bytes if breach is None else breach.peak_bytes,
        )

    def _make_room(self) -> None:
        """End the process if it has served enough, once what was sent ahead is handled and no reply is owed."""
        there, exchange = self._there, self._exchange
        if there is None or self._is_leaving or not self._is_worn(there):
            return
        if not exchange.is_idle:
            exchange.pause()
        elif exchange.owes_reply:
            exchange.up()  # who could bring it about may be among those that wait
        else:
            self._is_leaving = True
            exchange.pause()
            self._send([Kind.leave, MAKES_ROOM])
            logger.info("actor %s: process %d makes room for a new one", self.cell.path, there.process.pid)

    def _is_worn(self, there: HostProcess) -> bool:
        recycling, handled = self._recycling, self._exchange.handled
        if recycling is None or not handled:
            return False
        age_s, rss_bytes = time.monotonic() - there.born_s, there.process.last_rss_bytes
        return recycling.is_due(tasks=handled, age_s=age_s, rss_bytes=rss_bytes)

    def _refused_memory(self, reason: ExitReason, process: Process) -> ExitReason | None:
        """The reason if the hard limit behind the quota is what the actor crashed over; else None."""
        quota_bytes = self.cell.placement.quota_bytes
        if quota_bytes is None or not isinstance(reason, Crashed | InitFailed) or not _is_out_of_memory(reason.error):
            return None
        ended = process.exit
        assert ended is not None
        peak_bytes = max(process.last_rss_bytes, ended.peak_rss_bytes or 0)
        self.lost = refused = MemoryQuotaExceeded(quota_bytes, peak_bytes, refused=True)
        refused.__cause__ = reason.error
        if isinstance(reason, InitFailed):
            return InitFailed(refused)
        return Killed("memory", str(refused), exit_code=ended.exit_code, peak_rss_bytes=peak_bytes)

    def look(self) -> View | None:
        """For the cell: what is known now; the process is asked for more. None while it is not up."""
        there = self._there
        if there is None or not self._is_up:
            return None
        if self._told.is_set():
            self._told = anyio.Event()
            self._send([Kind.look])
        return View(
            process=PlacedProcess(there.process.pid, there.process.last_rss_bytes),
            current_handler=self._exchange.in_hand(there.progress),
            children=self._below,
            told=self._told,
        )

    # What goes out, and what comes in.

    def drop(self, ask: Ask) -> None:
        """Its asker has gone."""
        self._exchange.drop(ask)

    def _send(self, frame: list[Any]) -> None:
        if not self._is_over:
            self._exchange.outgoing.add(frame)

    async def _receive(self, connection: Connection) -> None:
        error = await self._exchange.receive(connection)
        if isinstance(error, NOT_UNDERSTOOD):
            self._broken = error
            self.system.frame_errors += 1
            logger.error("the process of %s is not understood, and is killed: %s", self.cell.path, error)
        else:
            logger.debug("the process of %s: %s", self.cell.path, error)
        self._is_over = True
        self._changed.wake()

    def _take(self, frame: list[Any]) -> None:
        match frame[0]:
            case Kind.up:
                self._is_up = True
                self.cell.started(_class_called(frame[1]))
                self._exchange.up()
                self._places.refill(self.cell.spec.module)
            case Kind.letter:
                name, reason, why = frame[1:]
                error = RemoteError("", why, "")
                self.cell.dead_letter((name, (), None), DeadLetterReason(reason), (error,))
            case Kind.seen:
                self._below = read_sight(frame[1], self._link.passing)
                self._told.set()
            case Kind.ended:
                self._ended(self._link.passing.read_reason(frame[1]))
            case _:
                self._link.receive(frame)

    def _ended(self, reason: ExitReason) -> None:
        asked = self.cell.asked_to_end
        self.made_room = asked is None and reason == Shutdown(MAKES_ROOM)
        self._reason = reason if asked is None or isinstance(reason, Crashed | InitFailed | Killed) else asked
        self._is_over = True
        self._changed.wake()


def _is_out_of_memory(error: BaseException) -> bool:
    """It was refused memory, by Python or by a system call."""
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)


def _used(breach: QuotaBreach) -> str:
    return f"{mebibytes(breach.peak_bytes)} of memory, its quota is {mebibytes(breach.limit_bytes)}"


def _class_called(name: str) -> type[Actor] | None:
    with contextlib.suppress(UnknownType):
        found = RESOLVER.resolve(name)
        if issubclass(found, Actor):
            return found
    return None
