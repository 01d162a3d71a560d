"""Test kit: an actor system on virtual time whose crashes, partitions and hours a test decides on.

async def scenario() -> None:
    async with TestKit(seed=7) as kit:
        printer = kit.probe(Printer)
        counter = await kit.spawn(partial(Counter, printer), name="counter")
        await kit.crash(counter, ValueError("boom"))
        await printer.expect(Printer.show)

run_virtual(scenario, backend="trio", seed=7)
"""

from __future__ import annotations

import contextlib
from collections import Counter
from itertools import count
from random import Random
from types import TracebackType
from typing import Any, ClassVar, Self, TypeVar, overload

import anyio

from actorflow.actors.actor import Actor
from actorflow.actors.mailbox import Mailbox
from actorflow.actors.monitor import Down
from actorflow.actors.ref import ActorRef, cell_of
from actorflow.actors.system import ASK_TIMEOUT_S, DEFAULT_BACKOFF, DEFAULT_INTENSITY, DEFAULT_MAILBOX
from actorflow.testing.clock import NEEDS_VIRTUAL_TIME, VirtualTimeError, is_virtual, pending, settle
from actorflow.testing.event_log import Event, EventKind, EventLog
from actorflow.testing.faults import At, CrashPlan, InjectedCrash
from actorflow.testing.network import Loss, LossName, Network, NodeTransport
from actorflow.testing.probe import Catcher, Probe
from actorflow.testing.schedule import pick_seed, seed_told_on_failure, seeded_schedule
from actorflow.testing.watched import WatchedCell, WatchedSystem
from actorflow_supervisors.backoff import Backoff
from actorflow_supervisors.intensity import RestartIntensity
from actorflow_supervisors.loop import current_seam

A = TypeVar("A", bound=Actor)


class TestKit:
    """A system to test actors in: `async with TestKit() as kit`, on a loop that runs on virtual time.

    seed: of `kit.rng`, of the backoffs and, on trio, of the order of tasks; without one it is that of `run_virtual`,
    else ACTORFLOW_SEED of the environment, else drawn. An error that leaves the block has a note with the seed.
    strict, intensity, backoff, mailbox, ask_timeout_s: as of `ActorSystem`.
    Raises VirtualTimeError on a loop that is on real time.
    """

    __test__: ClassVar[bool] = False  # pytest collects classes with this name

    def __init__(
        self,
        *,
        seed: int | None = None,
        strict: bool = False,
        intensity: RestartIntensity = DEFAULT_INTENSITY,
        backoff: Backoff = DEFAULT_BACKOFF,
        mailbox: Mailbox = DEFAULT_MAILBOX,
        ask_timeout_s: float | None = ASK_TIMEOUT_S,
    ) -> None:
        self.seed = pick_seed(seed)
        self.rng = Random(self.seed)
        """For the test's own choices."""
        self.system = WatchedSystem(
            strict=strict,
            intensity=intensity,
            backoff=backoff,
            mailbox=mailbox,
            ask_timeout_s=ask_timeout_s,
            rng=Random(self.seed),
        )
        self.spawn = self.system.spawn
        """`ActorSystem.spawn`."""
        self.left: tuple[str, ...] = ()
        """After the block: each task and timer that was started in it and is still there; empty is well."""
        self._log = EventLog(anyio.current_time)
        self._plan = CrashPlan()
        self._network = Network(self._log)
        self._probes = count(1)
        self._exits = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        if not is_virtual():
            raise VirtualTimeError(NEEDS_VIRTUAL_TIME)
        loop = current_seam().name
        self._exits.enter_context(seed_told_on_failure(self.seed, loop))
        if loop == "trio":
            self._exits.enter_context(seeded_schedule(self.seed))
        self._before = await pending()
        await self._exits.enter_async_context(self._network)
        await self._exits.enter_async_context(self.system)
        self.system.watch_by(self._log, self._plan)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exits.__aexit__(kind, error, trace)
        if error is None:
            self.left = _since(self._before, await pending())

    # Actors.

    @overload
    def probe(self, kind: type[A], *, name: str | None = None) -> Probe[A]: ...
    @overload
    def probe(self, kind: None = None, *, name: str | None = None) -> Probe[Any]: ...
    def probe(self, kind: type[Any] | None = None, *, name: str | None = None) -> Probe[Any]:
        """An actor that records whatever it is sent; with `kind`, type checkers take it for an actor of that class."""
        catcher = Catcher()
        name = f"probe-{next(self._probes)}" if name is None else name
        return Probe(self.system.spawn_nowait(lambda: catcher, name=name), catcher)

    async def crash(self, ref: ActorRef[Any], error: BaseException | None = None) -> Down:
        """Crash the actor now, over `error`, and return when that incarnation has ended; its supervisor goes on.

        The message in hand is treated as at any crash; its handler sees a cancellation where it waits.
        Raises RuntimeError if no incarnation is up.
        """
        cell = self._cell(ref)
        cell.crash_now(InjectedCrash(f"planned for {cell.path!r}") if error is None else error)
        return await self.system.down(ref)

    def crash_at_message(self, ref: ActorRef[Any] | str, number: int, error: BaseException | None = None) -> None:
        """Crash the actor over its `number`-th message from now, 1 for the next, before its handler runs.

        ref: or the path of an actor that may not have been spawned yet. Counts over all its incarnations.
        """
        self._plan_crash(ref, At.message, number, error)

    def crash_at_checkpoint(self, ref: ActorRef[Any] | str, number: int, error: BaseException | None = None) -> None:
        """Crash the actor at the `number`-th point from now at which a handler of it gives way to the loop.

        The handler sees a cancellation there. How many such points a call has may differ between the loops.
        """
        self._plan_crash(ref, At.checkpoint, number, error)

    # Time.

    async def settle(self) -> None:
        """Return once nothing can go on without time passing; no time passes."""
        await settle()

    async def advance(self, seconds: float) -> None:
        """Let this much time pass, with all that is due in it, and settle."""
        if seconds < 0:
            raise ValueError(f"time cannot go back by {-seconds:g} s")
        await anyio.sleep(seconds)
        await settle()

    # The network.

    def node(self, name: str) -> NodeTransport:
        """The in-process transport of the node `name`: nodes connect to each other by `inproc://...`."""
        return self._network.node(name)

    def partition(self, a: str, b: str, *, loss: Loss | LossName = Loss.hold) -> None:
        """Cut two nodes off from each other: what is sent is held until `heal`, or dropped; see `network`."""
        self._network.partition(a, b, loss)

    def heal(self, a: str, b: str) -> None:
        """End a partition."""
        self._network.heal(a, b)

    # The log.

    @property
    def log(self) -> tuple[Event, ...]:
        """All that has happened, as a value."""
        return self._log.events

    @property
    def log_text(self) -> str:
        """The log with a line for each event: two runs are the same if these are, byte for byte."""
        return "".join(f"{event}\n" for event in self._log.events)

    def note(self, text: str) -> None:
        """Write a line of the test's own into the log."""
        self._log.add(EventKind.note, detail=text)

    def _cell(self, ref: ActorRef[Any]) -> WatchedCell:
        cell = cell_of(ref)
        if not isinstance(cell, WatchedCell) or cell.system is not self.system:
            raise ValueError(f"{ref!r} is an actor of another system, which this kit cannot crash")
        return cell

    def _plan_crash(self, ref: ActorRef[Any] | str, at: At, number: int, error: BaseException | None) -> None:
        if isinstance(ref, Probe):
            raise TypeError(f"{ref.path!r} is a probe, which takes every message; let it `fail` an ask instead")
        self._plan.add(ref if isinstance(ref, str) else self._cell(ref).path, at, number, error)


def _since(before: tuple[tuple[str, ...], int], after: tuple[tuple[str, ...], int]) -> tuple[str, ...]:
    """What is there now and was not then."""
    tasks = Counter(after[0])
    tasks.subtract(before[0])
    timers = ["a timer"] * max(0, after[1] - before[1])
    return (*tasks.elements(), *timers)
