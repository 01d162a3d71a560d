"""Child: the life of one dynamic child, incarnation after incarnation, in one task.

When an incarnation ends, what follows is decided by a plain call, in place:

| the incarnation ended                                        | verdict |
|--------------------------------------------------------------|---------|
| with KeyboardInterrupt                                       | end, and the block of the home ends with it |
| while it, or the whole supervisor, was asked to stop         | end     |
| before the first one had started                             | end     |
| for a reason that `policy` does not restart                  | end     |
| and its own budget (`intensity`) is spent                    | give_up |
| otherwise                                                    | restart, after its own `backoff` |
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, TypeVar

from actorflow_supervisors.backoff import Backoff
from actorflow_supervisors.child_spec import ChildSpec
from actorflow_supervisors.errors import ChildProcessEnded, ChildStartFailed, error_of
from actorflow_supervisors.exit_reason import (
    INTENSITY,
    Crashed,
    ExitReason,
    InitFailed,
    Killed,
    Normal,
    Shutdown,
    describe,
)
from actorflow_supervisors.intensity import RestartIntensity
from actorflow_supervisors.loop import Home, Interrupt, Seam, Slot, Spawned, Timer
from actorflow_supervisors.policy import Restart, should_restart
from actorflow_supervisors.tree import ChildKind, ChildState, ChildTree
from actorflow_supervisors.watchdog import names_child

if TYPE_CHECKING:
    from actorflow_supervisors.dynamic import DynamicSupervisor

logger = logging.getLogger("actorflow.supervisors")

DEFAULT_INTENSITY = RestartIntensity()
DEFAULT_BACKOFF = Backoff()


class Verdict(StrEnum):
    """What becomes of a child whose incarnation ended."""

    restart = "restart"
    end = "end"
    give_up = "give_up"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildPolicy:
    """How children are restarted and stopped; one value may serve any number of them.

    shutdown_s: grace after the request to stop; None waits for ever.
    """

    restart: Restart = Restart.permanent
    shutdown_s: float | None = 5.0
    intensity: RestartIntensity = DEFAULT_INTENSITY
    backoff: Backoff = DEFAULT_BACKOFF


class RestartHistory:
    """Made at a child's first restart.

    recent_s: the restarts that still count, in seconds of the loop's clock. number: how many there were in a row.
    pause: what the child waits in until its restart is due.
    """

    __slots__ = ("number", "pause", "recent_s", "timer")

    def __init__(self) -> None:
        self.recent_s: list[float] = []
        self.number = 0
        self.pause: Slot | None = None
        self.timer: Timer | None = None

    def begin_pause(self, seam: Seam, delay_s: float) -> None:
        """Let the next `wait` last `delay_s` seconds, unless `pause` is filled before."""
        self.pause = seam.slot()
        self.timer = seam.call_at(seam.now_s() + delay_s, wake, self.pause)

    async def wait(self) -> None:
        """Return when the pause is over."""
        assert self.pause is not None
        try:
            await self.pause
        finally:
            if self.timer is not None:  # a stop ends the pause before its time
                self.timer.cancel()
            self.pause = self.timer = None


class Child:
    """One child's life: its incarnations, one after the other, never two at once.

    Subclass it with `run`, and with the hooks that its owner needs. `run` calls `mark_started` when it is up.
    """

    __slots__ = (
        "_end_slots",
        "_history",
        "_region",
        "_seam",
        "_start_slot",
        "_started_s",
        "_task",
        "has_started",
        "incarnation",
        "last_exit",
        "policy",
        "restarts",
        "state",
        "stop_reason",
        "supervisor",
    )

    kind: ClassVar[ChildKind] = ChildKind.worker

    def __init__(self, policy: ChildPolicy) -> None:
        self.policy = policy
        self.state = ChildState.starting
        self.incarnation = 0
        self.restarts = 0
        self.has_started = False
        self.last_exit: ExitReason | None = None
        self.stop_reason: ExitReason | None = None
        self._task: Spawned | None = None
        self._region: Interrupt | None = None
        self._start_slot: Slot | None = None
        self._end_slots: list[Slot] | None = None
        self._history: RestartHistory | None = None

    # For subclasses.

    async def run(self) -> None:
        """One incarnation. Returning is a normal exit, raising is a crash."""
        raise NotImplementedError(f"{type(self).__name__} must define run")  # abstract: a crash that says so

    @property
    def label(self) -> str:
        """What to call the child in messages."""
        return f"{type(self).__name__.lower()}-{id(self):x}"

    def on_exit(self, reason: ExitReason, verdict: Verdict) -> None:
        """An incarnation ended for `reason`; with `Verdict.restart` the next one follows. Must not raise."""

    def on_end(self, reason: ExitReason) -> None:
        """The child has ended for good, or was abandoned. Called once; must not raise."""

    def grace_extended(self) -> bool:
        """Asked when the grace is over: True grants it once more, for a child that waits for its own children."""
        return False

    def mark_started(self) -> None:
        """This incarnation is up."""
        self.has_started = True
        if self.state is ChildState.starting:
            self.state = ChildState.running
        if self._start_slot is not None:
            wake(self._start_slot)
            self._start_slot = None

    def interrupt(self) -> None:
        """Bring the running incarnation to its end, as `request_stop` wants it."""
        if self._region is not None:
            self._region.cancel()

    async def incarnate(self) -> ExitReason:
        """Run one incarnation and say why it ended. Raises nothing."""
        self._region = region = self._seam.interrupt()
        try:
            with region:
                await self.run()
                return Normal() if self.stop_reason is None else self.stop_reason
        except self._seam.cancelled as error:
            return self.exit_reason_of(error) if self.stop_reason is None else self.stop_reason
        except BaseException as error:  # noqa: BLE001 - whatever leaves a child becomes an exit reason
            return self.exit_reason_of(error)
        finally:
            self._region = None
        return self.stop_reason or Shutdown()

    def exit_reason_of(self, error: BaseException) -> ExitReason:
        """An error as the reason why this incarnation ended."""
        if isinstance(error, ChildProcessEnded):
            return error.exit_reason
        return InitFailed(error) if self.state is ChildState.starting else Crashed(error)

    # For everybody.

    @property
    def ended(self) -> bool:
        """True once no incarnation runs or will run."""
        return self.state in _ENDED

    async def wait_started(self) -> None:
        """Return when the first incarnation is up; for one waiter. Raises ChildStartFailed if it ended before that."""
        if not self.has_started and self.state not in _ENDED:
            self._start_slot = self._seam.slot()
            await self._start_slot
        if not self.has_started:
            raise ChildStartFailed(self.label, self.last_exit or Shutdown())

    async def wait_ended(self) -> None:
        """Return when the child has ended for good."""
        if self.state in _ENDED:
            return
        slot = self._seam.slot()
        if self._end_slots is None:
            self._end_slots = []
        self._end_slots.append(slot)
        await slot

    def request_stop(self, reason: ExitReason) -> None:
        """Ask the child to end for `reason` and not to come back; the first request counts."""
        if self.stop_reason is not None or self.state in _ENDED:
            return
        self.stop_reason = reason
        if self._history is not None and self._history.pause is not None:
            wake(self._history.pause)
            return
        if self.state is ChildState.running:
            self.state = ChildState.stopping
        self.interrupt()

    def age_s(self, now_s: float) -> float:
        """How long the present incarnation has run at `now_s` of the loop's clock."""
        return now_s - self._started_s if self.incarnation else 0.0

    def tree(self) -> ChildTree:
        """The child as a value."""
        return ChildTree(
            id=self.label,
            kind=self.kind,
            state=self.state,
            incarnation=self.incarnation,
            restarts=self.restarts,
            last_exit=self.last_exit,
        )

    # The life.

    def begin(self, supervisor: DynamicSupervisor, home: Home) -> None:
        """For the supervisor: start the child's task."""
        self.supervisor = supervisor
        self._seam = home.seam
        self._task = home.spawn(self._live)

    async def _live(self) -> None:
        try:
            while self.stop_reason is None:
                self.incarnation += 1
                self.state = ChildState.starting
                self._started_s = self._seam.now_s()
                reason = await self.incarnate()
                if self.ended:
                    return
                verdict = self._conclude(reason)
                if verdict is not Verdict.restart:
                    return
                if self._history is not None and self._history.pause is not None:
                    await self._history.wait()
        finally:
            self._end()

    def _conclude(self, reason: ExitReason) -> Verdict:
        verdict, delay_s = self._judge(reason)
        self.last_exit = reason if verdict is not Verdict.give_up else Shutdown(INTENSITY)
        if verdict is Verdict.restart:
            self.restarts += 1
            if delay_s > 0:
                self.state = ChildState.backoff
                assert self._history is not None
                self._history.begin_pause(self._seam, delay_s)
        self.supervisor.incarnation_ended(self, reason, verdict)
        return verdict

    def _judge(self, reason: ExitReason) -> tuple[Verdict, float]:
        """The table of the module's docstring."""
        policy = self.policy
        interrupt = error_of(reason)
        if isinstance(interrupt, KeyboardInterrupt):
            self.supervisor.interrupted(interrupt)
            return Verdict.end, 0.0
        if self.stop_reason is not None or self.supervisor.stopping:
            return Verdict.end, 0.0
        if not self.has_started:
            return Verdict.end, 0.0
        if not should_restart(policy.restart, reason):
            return Verdict.end, 0.0
        now_s = self._seam.now_s()
        history = self._history = self._history or RestartHistory()
        history.recent_s = policy.intensity.recent(history.recent_s, now_s)
        if not policy.intensity.allows(history.recent_s, now_s):
            return Verdict.give_up, 0.0
        history.recent_s.append(now_s)
        history.number = policy.backoff.next_restart_number(history.number, now_s - self._started_s)
        return Verdict.restart, policy.backoff.delay_s(history.number, self.supervisor.rng)

    def refund_restart(self, count: int = 1) -> None:
        """The last restarts were not the child's fault: they no longer count."""
        if count and self._history is not None:
            del self._history.recent_s[-count:]

    def abandon(self, home: Home) -> None:
        """For the supervisor: it did not stop within its grace; go on without it."""
        shutdown_s = self.policy.shutdown_s
        within = "in time" if shutdown_s is None else f"within {shutdown_s:g} s"
        self.last_exit = Killed("timeout", f"did not stop {within} and was abandoned")
        self.state = ChildState.abandoned
        logger.error("child %s: %s", self.label, describe(self.last_exit))
        if self._region is not None:
            self._region.abandon()
        if self._task is not None:
            home.abandon(self._task)
        self.supervisor.incarnation_ended(self, self.last_exit, Verdict.end)
        self._settle()

    def _end(self) -> None:
        if self.state in _ENDED:
            return
        if self.stop_reason is not None and self.state in (ChildState.starting, ChildState.backoff):
            self.last_exit = self.stop_reason
        self.state = ChildState.stopped
        self._settle()

    def _settle(self) -> None:
        self.supervisor.child_ended(self, self.last_exit or Shutdown())
        if self._start_slot is not None and not self._start_slot.done():
            self._start_slot.set_result(None)
        for slot in self._end_slots or ():
            if not slot.done():
                slot.set_result(None)
        self._end_slots = None


names_child(Child._live, lambda found: found["self"].label)


class SpecChild(Child):
    """A child that is any async callable, by its spec."""

    __slots__ = ("spec",)

    def __init__(self, spec: ChildSpec, policy: ChildPolicy) -> None:
        super().__init__(policy)
        self.spec = spec

    @property
    def label(self) -> str:
        return self.spec.id

    async def run(self) -> None:
        if self.spec.signals_started:
            await self.spec.run(self.mark_started)
        else:
            self.mark_started()
            await self.spec.run()

    def tree(self) -> ChildTree:
        below = () if self.spec.children is None else self.spec.children()
        kind = ChildKind.worker if self.spec.children is None else ChildKind.supervisor
        return replace(super().tree(), kind=kind, children=below)


ChildT = TypeVar("ChildT", bound=Child)

_ENDED = (ChildState.stopped, ChildState.abandoned)


def wake(slot: Slot) -> None:
    """Fill `slot`, unless it is filled or nobody waits any more."""
    if not slot.done():
        slot.set_result(None)
