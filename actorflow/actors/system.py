"""Actor system: spawns actors, keeps them alive, and stops them when it is left."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from itertools import count
from random import Random
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar, Unpack

from actorflow.actors.actor import Actor
from actorflow.actors.ask_timeouts import AskTimeouts
from actorflow.actors.boundary import Boundary
from actorflow.actors.cell import Cell
from actorflow.actors.dead_letters import DeadLetters
from actorflow.actors.errors import SpawnFailed
from actorflow.actors.mailbox import Mailbox
from actorflow.actors.monitor import Down, SlotMonitor
from actorflow.actors.names import Names
from actorflow.actors.observer import ActorTree, observe, processes_told
from actorflow.actors.ref import ActorRef, cell_of
from actorflow.actors.router import Pool, PoolHost, Routing, RoutingName
from actorflow.actors.spawn_options import DEFAULT_SHUTDOWN_S, SpawnOptions
from actorflow_supervisors.backoff import Backoff
from actorflow_supervisors.child import ChildPolicy
from actorflow_supervisors.dynamic import DynamicSupervisor, OnExit
from actorflow_supervisors.errors import ChildStartFailed, SupervisorNotRunning
from actorflow_supervisors.exit_reason import ExitReason, NoProc, Shutdown
from actorflow_supervisors.intensity import RestartIntensity
from actorflow_supervisors.loop import Home, Seam, Slot, current_seam
from actorflow_supervisors.policy import Restart, RestartName
from actorflow_supervisors.stop_bound import StopBound
from actorflow_supervisors.watchdog import LoopWatchdog

A = TypeVar("A", bound=Actor)

DEFAULT_INTENSITY = RestartIntensity()
DEFAULT_BACKOFF = Backoff()
DEFAULT_MAILBOX = Mailbox()
DEFAULT_STOP = Shutdown()
ASK_TIMEOUT_S = 60.0


class Placement(Protocol):
    """Where the code of an actor runs, when that is not this process's loop."""

    def new_cell(
        self,
        system: ActorSystem,
        parent: Cell | None,
        factory: Callable[[], Actor],
        name: str | None,
        policy: ChildPolicy,
        mailbox: Mailbox,
    ) -> Cell:
        """One actor's life, not begun. Raises SpawnFailed for a factory that cannot be made there."""
        ...


class ActorSystem:
    """The actors of one event loop: `async with ActorSystem() as system`.

    strict: send every message and reply through the codec, so that what runs here is proven ready for another process.
    intensity, backoff, mailbox: of actors spawned without their own. Each actor has a budget for itself.
    ask_timeout_s: how long an ask waits whose caller set no deadline; None for ever.
    quarantine_after: how many incarnations a message may crash, its redeliveries included, before it is set aside.
    rng: gives the random part of backoffs.
    watchdog: watches the loop for as long as the system lives, and names the actor that blocks it.
    shutdown_s: for leaving the block as a whole: the actors' graces shrink to what is left of it; None is no bound.
    spare_processes: how many wait for each module whose actors are placed in processes, so that a start, or a restart,
    does not wait for a fork; 0 for none.

    Leaving the block stops all actors, parents after their children. Cancelled while it does, or interrupted, it waits
    no longer: `kill`.
    """

    def __init__(
        self,
        *,
        strict: bool = False,
        intensity: RestartIntensity = DEFAULT_INTENSITY,
        backoff: Backoff = DEFAULT_BACKOFF,
        mailbox: Mailbox = DEFAULT_MAILBOX,
        ask_timeout_s: float | None = ASK_TIMEOUT_S,
        quarantine_after: int = 3,
        rng: Random | None = None,
        watchdog: LoopWatchdog | None = None,
        shutdown_s: float | None = None,
        spare_processes: int = 1,
    ) -> None:
        if spare_processes < 0:
            raise ValueError(f"spare_processes is a whole number of 0 or more, not {spare_processes!r}")
        self.stop_bound = StopBound(shutdown_s)
        self.strict = strict
        self.spare_processes = spare_processes
        self.boundary = Boundary() if strict else None
        self.quarantine_after = quarantine_after
        self.names = Names()
        self.cells: dict[object, Cell] = {}
        self._intensity = intensity
        self._backoff = backoff
        self._mailbox = mailbox
        self._ask_timeout_s = ask_timeout_s
        self._rng = Random() if rng is None else rng
        self._watchdog = watchdog
        self._numbers = count(1)
        self._policies: dict[tuple[str, float | None], ChildPolicy] = {}
        self._home: Home | None = None
        self._own_home: AbstractAsyncContextManager[Home] | None = None
        self._roots: DynamicSupervisor | None = None
        self._on_exit: OnExit | None = None
        self.frame_errors = 0
        """How often the process of a placed actor, which was killed for it, wrote what is no frame."""
        self.closers: list[Callable[[], Awaitable[None]]] = []
        """For placements: awaited when the system is left, after its last actor has ended."""

    async def __aenter__(self) -> Self:
        if self._own_home is not None:
            raise RuntimeError("an ActorSystem is entered once; make a new one")
        self.seam: Seam = current_seam()
        self.new_slot: Callable[[], Slot] = self.seam.slot
        self.current_task = self.seam.current_task
        self.effective_deadline_s = self.seam.effective_deadline_s
        self.checkpoint = self.seam.checkpoint
        self.cancelled = self.seam.cancelled
        self.dead_letters = DeadLetters(self.seam.now_s)
        self.ask_timeouts = None if self._ask_timeout_s is None else AskTimeouts(self.seam, self._ask_timeout_s)
        self._own_home = self.seam.open_home()
        self._home = await self._own_home.__aenter__()
        self._roots = self.new_supervisor()
        if self._watchdog is not None:
            self._watchdog.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._own_home is not None
        assert self._roots is not None
        try:
            await self._roots.stop_all(Shutdown("system"), hasty=error is None)
        finally:
            for closer in self.closers:
                await closer()
            if self._watchdog is not None:
                self._watchdog.stop()
            if self.ask_timeouts is not None:
                self.ask_timeouts.close()
            await self._own_home.__aexit__(kind, error, trace)

    # Spawn.

    async def spawn(self, factory: Callable[[], A], **options: Unpack[SpawnOptions]) -> ActorRef[A]:
        """Spawn an actor and return when its `started` has finished; a cancelled spawn leaves no actor behind.

        factory: makes each incarnation: a class, a function, or a `functools.partial` of one.
        options: see `SpawnOptions`.
        Raises SpawnFailed with the error as its cause, or NameTaken.
        """
        return await self.started(self.spawn_with(options, None, factory))

    def spawn_nowait(self, factory: Callable[[], A], **options: Unpack[SpawnOptions]) -> ActorRef[A]:
        """`spawn` that does not wait: messages queue until the actor is up; if it does not come up it has ended."""
        return self.spawn_with(options, None, factory)

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
        """Spawn `size` actors behind one reference that routes among them (`router`).

        They are called `0`, `1`, ... below an actor of the pool's name, and each has a budget of its own.
        """
        return await self.pool_below(None, factory, size, routing, name, restart, mailbox)

    async def started(self, ref: ActorRef[A]) -> ActorRef[A]:
        """`ref`, once its actor is up. Raises SpawnFailed if it ended before."""
        cell = cell_of(ref)
        try:
            await cell.supervisor.started(cell)
        except ChildStartFailed as error:
            raise SpawnFailed(f"actor {cell.path!r} did not start: {error.__cause__ or error}") from error.__cause__
        return ref

    # Stop.

    async def stop(self, ref: ActorRef[Any], reason: ExitReason = DEFAULT_STOP) -> None:
        """Stop an actor for good and return when it has ended; harmless if it has.

        It takes no message from this moment on: each ask that waits for it fails at once, the handler at work is
        cancelled, then its children are stopped and its `stopping` runs, within its grace.
        """
        cell = cell_of(ref)
        if cell.in_own_task():
            raise RuntimeError(f"actor {cell.path!r} cannot wait for its own end; call self.context.stop()")
        await cell.supervisor.stop_child(cell, reason)

    def kill(self) -> None:
        """Wait no longer for actors that are asked to end: they are abandoned now, whatever is left of their grace."""
        self.stop_bound.kill(self.seam)

    def stop_nowait(self, ref: ActorRef[Any], reason: ExitReason = DEFAULT_STOP) -> None:
        """`stop` that does not wait for the end."""
        cell = cell_of(ref)
        cell.supervisor.stop_child_nowait(cell, reason)

    # Look.

    def whereis(self, path: str) -> ActorRef[Any] | None:
        """The running actor that was given this name; `etl/load` for the child `load` of `etl`."""
        cell = self.names.find(path)
        return None if cell is None else cell.ref

    async def down(self, ref: ActorRef[Any]) -> Down:
        """Return when the present incarnation of `ref` has ended; at once, with NoProc, if it runs no more."""
        cell = cell_of(ref)
        slot = self.new_slot()
        monitor = SlotMonitor(slot, cell)
        if not cell.add_monitor(monitor):
            return Down(ref, NoProc(), cell.incarnation)
        try:
            down: Down = await slot
        finally:
            monitor.cancel()
        return down

    def tree(self) -> tuple[ActorTree, ...]:
        """Every actor as a value, those without a parent first, oldest first.

        What a placed actor has in its process is shown as it was when somebody last looked; `look` asks for it.
        """
        cells = self._cells()
        now_s = self.seam.now_s() if cells else 0.0
        return tuple(observe(cell, now_s) for cell in cells)

    async def look(self) -> tuple[ActorTree, ...]:
        """`tree`, after the processes of placed actors were asked what is below those there.

        One that does not answer within `LOOK_S` is shown as it last was.
        """
        await processes_told(self._cells())
        return self.tree()

    def _cells(self) -> list[Cell]:
        return [cell for cell in (() if self._roots is None else self._roots.children) if isinstance(cell, Cell)]

    # For the parts of the system.

    def policy_for(
        self,
        restart: Restart | RestartName,
        shutdown_s: float | None,
        intensity: RestartIntensity | None,
        backoff: Backoff | None,
    ) -> ChildPolicy:
        """One value for all actors with the same options, since most have the system's own."""
        if intensity is None and backoff is None:
            policy = self._policies.get((restart, shutdown_s))
            if policy is not None:
                return policy
        policy = ChildPolicy(
            restart=Restart(restart),
            shutdown_s=shutdown_s,
            intensity=intensity or self._intensity,
            backoff=backoff or self._backoff,
        )
        if intensity is None and backoff is None:
            self._policies[restart, shutdown_s] = policy
        return policy

    def spawn_with(self, options: SpawnOptions, parent: Cell | None, factory: Callable[[], A]) -> ActorRef[A]:
        """Start a cell below `parent`. Raises SpawnFailed or NameTaken."""
        policy = self.policy_for(
            options.get("restart", Restart.permanent),
            options.get("shutdown_s", DEFAULT_SHUTDOWN_S),
            options.get("intensity"),
            options.get("backoff"),
        )
        return self.spawn_below(
            parent, factory, options.get("name"), policy, options.get("mailbox"), options.get("placement")
        )

    def spawn_below(
        self,
        parent: Cell | None,
        factory: Callable[[], A],
        name: str | None,
        policy: ChildPolicy,
        mailbox: Mailbox | None,
        placement: Placement | None = None,
    ) -> ActorRef[A]:
        """Start a cell below `parent`. Raises SpawnFailed or NameTaken."""
        supervisor = self._roots if parent is None else parent.child_supervisor()
        if supervisor is None:
            raise SpawnFailed("the system has not been entered; use `async with ActorSystem() as system`")
        if placement is None:
            cell = self.new_cell(parent, factory, name, policy, mailbox or self._mailbox)
        else:
            _check_placement(placement)
            cell = placement.new_cell(self, parent, factory, name, policy, mailbox or self._mailbox)
        if name is not None:
            self.names.take(cell.path, cell)
        try:
            supervisor.adopt_nowait(cell)
        except SupervisorNotRunning as error:
            self.names.free(cell)
            raise SpawnFailed(f"actor {cell.path!r} was not started: its system or parent is stopping") from error
        return cell.ref

    def new_cell(
        self, parent: Cell | None, factory: Callable[[], Actor], name: str | None, policy: ChildPolicy, mailbox: Mailbox
    ) -> Cell:
        """One actor's life, not begun; the test kit makes cells that are watched."""
        return Cell(self, parent, factory, name, policy, mailbox)

    async def pool_below(
        self,
        parent: Cell | None,
        factory: Callable[[], A],
        size: int,
        routing: Routing | RoutingName,
        name: str | None,
        restart: Restart | RestartName,
        mailbox: Mailbox | None,
    ) -> Pool[A]:
        """For `spawn_pool`."""
        if size < 1:
            raise ValueError(f"a pool has 1 or more members, not {size}")
        host = PoolHost(factory, size, restart, mailbox)
        # One incarnation only: the pool knows its members, so another host could not bring others.
        policy = self.policy_for(Restart.temporary, 5.0, None, None)
        ref = self.spawn_below(parent, lambda: host, name, policy, None)
        await self.started(ref)
        return Pool(ref, host.members, routing)

    def new_supervisor(self) -> DynamicSupervisor:
        """A supervisor whose children live in this system's home."""
        assert self._home is not None
        supervisor = DynamicSupervisor(
            intensity=self._intensity,
            backoff=self._backoff,
            rng=self._rng,
            on_exit=self._on_exit,
            bound=self.stop_bound,
        )
        supervisor.open(self._home)
        return supervisor

    @property
    def home(self) -> Home:
        """Where tasks of the system itself live."""
        assert self._home is not None
        return self._home

    def next_number(self) -> int:
        """For the names of actors that were given none."""
        return next(self._numbers)

    def watch(self, ask: Any) -> None:
        if self.ask_timeouts is not None:
            self.ask_timeouts.watch(ask)

    def unwatch(self, ask: Any) -> None:
        if self.ask_timeouts is not None:
            self.ask_timeouts.forget(ask)


def _check_placement(placement: object) -> None:
    if isinstance(placement, type) or not hasattr(placement, "new_cell"):
        raise SpawnFailed(f"placement is a value such as Subprocess(), not {placement!r}")
