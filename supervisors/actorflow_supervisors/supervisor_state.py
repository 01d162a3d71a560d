"""Supervisor state: the whole decision of a supervisor, as inputs in and instructions out; nothing here awaits.

What follows when a child has ended by itself; the first row that fits counts:

| supervisor | the child                                | then                                                       |
|------------|------------------------------------------|------------------------------------------------------------|
| any        | ended by KeyboardInterrupt               | stop all, exit with it                                     |
| stopping   | any                                      | the next one is stopped; after the last, exit              |
| any        | was about to be stopped for a restart    | that restart goes on                                       |
| any        | had not started, a caller waits for that | the start is undone, the caller gets `ChildStartFailed`    |
| starting   | had not started                          | stop all, exit `InitFailed`                                |
| any        | is not to be restarted (`policy`)        | stays down (temporary: forgotten); `auto_shutdown` counts  |
| any        | may be restarted (`intensity`)           | its group stops in reverse, waits the backoff, starts      |
| any        | has no budget left                       | stop all, exit `Shutdown(detail="intensity")`              |

A restart in progress is an `Episode`. A failure that comes meanwhile widens it, so there is no queue of failures, and a
request to stop is never made to wait. Source: Erlang/OTP `supervisor`; the README's table says where this differs.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, TypedDict, assert_never

from actorflow_supervisors import child_requests
from actorflow_supervisors import instructions as do
from actorflow_supervisors.backoff import Backoff
from actorflow_supervisors.child_record import Child
from actorflow_supervisors.child_spec import AutoShutdown, ChildSpec
from actorflow_supervisors.episode import Episode, Episodes
from actorflow_supervisors.errors import (
    ChildDidNotStop,
    ChildExists,
    ChildStartFailed,
    IntensityExceeded,
    InvalidChildSpec,
    SupervisorError,
    SupervisorNotRunning,
    error_of,
)
from actorflow_supervisors.events import (
    ChildAbandoned,
    ChildEnded,
    ChildStarted,
    IntensityReached,
    RestartScheduled,
    SupervisorEvent,
    SupervisorStarted,
    SupervisorStopped,
    SupervisorStopping,
)
from actorflow_supervisors.exit_reason import INTENSITY, Shutdown, init_failed
from actorflow_supervisors.intensity import RestartIntensity
from actorflow_supervisors.policy import Restart, should_restart
from actorflow_supervisors.strategy import Strategy, restart_group
from actorflow_supervisors.tree import ChildState

if TYPE_CHECKING:
    from random import Random

AUTO_SHUTDOWN = "auto_shutdown"
"""The detail of the `Shutdown` of a supervisor whose significant children have ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a supervisor goes by: its strategy, its budget, its delays (None: none), and when it ends itself."""

    strategy: Strategy = Strategy.one_for_one
    intensity: RestartIntensity = field(default_factory=RestartIntensity)
    backoff: Backoff | None = field(default_factory=Backoff)
    auto_shutdown: AutoShutdown = AutoShutdown.never


class Phase(Enum):
    """Where the supervisor itself stands."""

    starting = "starting"
    running = "running"
    stopping = "stopping"
    ended = "ended"


class _Where(TypedDict):
    path: str
    at_s: float


class SupervisorState:
    """One life of a supervisor. Feed it inputs in order with `handle`; carry out what it returns, in order.

    incarnations: the last incarnation of each child id, kept by the caller over several lives, so that no id and number
    ever name two incarnations.
    """

    def __init__(
        self,
        rules: Rules,
        children: Iterable[ChildSpec],
        rng: Random,
        *,
        path: str = "supervisor",
        incarnations: MutableMapping[str, int] | None = None,
    ) -> None:
        self.rules = rules
        self.path = path
        self.phase = Phase.starting
        self.children: dict[str, Child] = {}
        """In start order; a child added later comes last."""
        self._rng = rng
        self._incarnations: MutableMapping[str, int] = {} if incarnations is None else incarnations
        self._now_s = 0.0
        self._out: list[do.Instruction] = []
        self.episodes = Episodes()
        self._last_timer = 0
        self._restarts_s: list[float] = []
        self._auto_shutdown_due = False
        self._exit: do.Exit | None = None
        for spec in children:
            self.add(spec, new=False)

    def handle(self, told: do.Input, now_s: float) -> list[do.Instruction]:
        """What to do now that `told` has happened at `now_s`."""
        self._now_s = now_s
        self._take(told)
        for episode in self.episodes:
            self._go_on(episode)
        if self._auto_shutdown_due and self.phase is Phase.running:
            self._stop_all(do.Exit(Shutdown(AUTO_SHUTDOWN)))
        if self.phase is Phase.stopping:
            self._go_on_stopping()
        out, self._out = self._out, []
        return out

    def shown_state(self, child: Child) -> ChildState:
        """The state of `child` for people: a stopped one that waits for its restart is in `backoff`."""
        if child.state is ChildState.stopped and self.episodes.will_start(child.id):
            return ChildState.backoff
        return child.state

    @property
    def accepts_requests(self) -> bool:
        return self.phase in (Phase.starting, Phase.running)

    def _take(self, told: do.Input) -> None:
        match told:
            case do.Begin():
                self.episodes.add(Episode(set(), set(self.children), boot=True))
            case do.ChildUp():
                self._child_up(told)
            case do.ChildDown():
                self._child_down(told)
            case do.ChildStuck():
                self._child_stuck(told)
            case do.TimerFired(timer=timer):
                for episode in self.episodes:
                    episode.timer = None if episode.timer == timer else episode.timer
            case do.StopAsked(detail=detail):
                self._stop_all(do.Exit(Shutdown(detail)))
            case do.StartChildAsked():
                child_requests.start_child(self, told)
            case do.StopChildAsked():
                child_requests.stop_child(self, told)
            case do.RestartChildAsked():
                child_requests.restart_child(self, told)
            case do.DeleteChildAsked():
                child_requests.delete_child(self, told)
            case do.RequestDropped():
                child_requests.drop_request(self, told)
            case _:
                assert_never(told)

    # What children do

    def _child_up(self, told: do.ChildUp) -> None:
        child = self._incarnation(told.child_id, told.incarnation)
        if child is None or child.state is not ChildState.starting:
            return
        child.state, child.started_s, child.new = ChildState.running, self._now_s, False
        self.episodes.need_not_start(child.id)
        self._emit(ChildStarted(**self._where(), child_id=child.id, incarnation=child.incarnation))
        self.answer_start(child)

    def _child_down(self, told: do.ChildDown) -> None:
        child = self._incarnation(told.child_id, told.incarnation)
        if child is None:
            return
        was, child.state, child.last_exit = child.state, ChildState.stopped, told.reason
        asked = was in (ChildState.stopping, ChildState.abandoned)
        self._emit(
            ChildEnded(
                **self._where(), child_id=child.id, incarnation=child.incarnation, reason=told.reason, asked=asked
            )
        )
        self._answer_stops(child)
        error = error_of(told.reason)
        if isinstance(error, KeyboardInterrupt):
            self._stop_all(do.Exit(told.reason, error))
        elif self.phase in (Phase.stopping, Phase.ended):
            return
        elif was is ChildState.abandoned:
            self._abandoned_ended(child)
        elif asked or self.episodes.will_stop(child.id):
            self._stopped(child)
        elif was is ChildState.starting and child.start_request is not None:
            child_requests.undo_start(self, child, ChildStartFailed(child.id, told.reason, told.error))
        elif self.episodes.booting(child.id):
            failure = ChildStartFailed(child.id, told.reason, told.error)
            self._stop_all(do.Exit(init_failed(failure), failure))
        elif should_restart(child.spec.restart, told.reason):
            self._restart(child, told)
        else:
            self._stays_down(child)

    def _child_stuck(self, told: do.ChildStuck) -> None:
        child = self._incarnation(told.child_id, told.incarnation)
        if child is None or child.state is not ChildState.stopping:
            return
        child.state = ChildState.abandoned
        grace_s = child.spec.shutdown_s or 0.0
        self._emit(ChildAbandoned(**self._where(), child_id=child.id, incarnation=child.incarnation, grace_s=grace_s))
        self._answer_stops(child, ChildDidNotStop(child.id, grace_s))
        self.episodes.need_not_stop(child.id)

    def _abandoned_ended(self, child: Child) -> None:
        rerun, child.rerun = child.rerun, False
        if child.forgotten_at_end:
            self.forget(child)
        elif rerun and not self.episodes.will_start(child.id):
            self.episodes.add(Episode(set(), {child.id}))

    def _stopped(self, child: Child) -> None:
        self.episodes.need_not_stop(child.id)
        if child.forgotten_at_end:
            self.forget(child)

    def _stays_down(self, child: Child) -> None:
        self.episodes.need_not_start(child.id)
        if child.forgotten_at_end:
            self.forget(child)
        if child.spec.significant and self._ends_supervisor():
            # Never before the boot is complete: a quick job must not look like a failed start.
            self._auto_shutdown_due = True

    def _ends_supervisor(self) -> bool:
        if self.rules.auto_shutdown is AutoShutdown.any_significant:
            return True
        return not any(
            child.spec.significant and (child.alive or self.episodes.will_start(child.id))
            for child in self.children.values()
        )

    # Restarts

    def _restart(self, child: Child, told: do.ChildDown) -> None:
        limit = child.spec.intensity or self.rules.intensity
        past_s = self._restarts_s if child.spec.intensity is None else child.restarts_s
        if not limit.allows(past_s, self._now_s):
            self._give_up(child, limit, told)
            return
        past_s[:] = [*limit.recent(past_s, self._now_s), self._now_s]
        delay_s = self._delay_s(child)
        group = [self.children[name] for name in restart_group(self.rules.strategy, list(self.children), child.id)]
        episode, stale = self.episodes.merged(
            to_stop={member.id for member in group if member.alive},
            to_start={member.id for member in group if member.spec.restart is not Restart.temporary},
        )
        self._out += map(do.CancelTimer, stale)
        self._wait_at_least(episode, delay_s)
        self._emit(
            RestartScheduled(
                **self._where(),
                child_id=child.id,
                reason=told.reason,
                restart_number=child.restart_number,
                delay_s=delay_s,
                group=tuple(member.id for member in group),
            )
        )

    def _delay_s(self, child: Child) -> float:
        ran_s = 0.0 if child.started_s is None else self._now_s - child.started_s
        backoff = child.spec.backoff or self.rules.backoff
        if backoff is None:
            child.restart_number += 1
            return 0.0
        child.restart_number = backoff.next_restart_number(child.restart_number, ran_s)
        return backoff.delay_s(child.restart_number, self._rng)

    def _wait_at_least(self, episode: Episode, delay_s: float) -> None:
        due_s = self._now_s + delay_s
        if delay_s <= 0 or (episode.timer is not None and episode.due_s >= due_s):
            return
        if episode.timer is not None:
            self._out.append(do.CancelTimer(episode.timer))
        self._last_timer += 1
        episode.timer, episode.due_s = self._last_timer, due_s
        self._out.append(do.SetTimer(self._last_timer, due_s))

    def _give_up(self, child: Child, limit: RestartIntensity, told: do.ChildDown) -> None:
        self._emit(
            IntensityReached(
                **self._where(),
                child_id=child.id,
                reason=told.reason,
                max_restarts=limit.max_restarts,
                max_seconds=limit.max_seconds,
            )
        )
        error = IntensityExceeded(
            child.id, limit.max_restarts, limit.max_seconds, told.reason, path=self.path, cause=told.error
        )
        self._stop_all(do.Exit(Shutdown(INTENSITY), error))

    def _go_on(self, episode: Episode) -> None:
        for name in reversed(self.children):
            if name in episode.to_stop:
                self.stop(self.children[name])
                return
        if episode.to_start and episode.timer is not None:
            return
        for name in [name for name in self.children if name in episode.to_start]:
            child = self.children[name]
            if child.state is ChildState.abandoned:
                child.rerun = True
                episode.to_start.discard(name)
                continue
            if child.state is ChildState.stopped:
                self._start(child)
            return
        self._finish(episode)

    def _finish(self, episode: Episode) -> None:
        self.episodes.remove(episode)
        if episode.timer is not None:
            self._out.append(do.CancelTimer(episode.timer))
        if episode.boot:
            self._booted()

    def _booted(self) -> None:
        self.phase = Phase.running
        self._emit(SupervisorStarted(**self._where()))
        self._out.append(do.Booted())

    # Stopping

    def _stop_all(self, last: do.Exit) -> None:
        interrupted = isinstance(last.error, KeyboardInterrupt)
        if self.phase in (Phase.stopping, Phase.ended):
            if interrupted and self.phase is Phase.stopping:
                self._exit = last
            return
        self.phase, self._exit = Phase.stopping, last
        self._out += map(do.CancelTimer, self.episodes.clear())
        self._emit(SupervisorStopping(**self._where(), reason=last.reason))
        for child in self.children.values():
            self.answer_start(child, SupervisorNotRunning(f"supervisor {self.path!r} is stopping"))

    def _go_on_stopping(self) -> None:
        for child in reversed(self.children.values()):
            if child.alive:
                self.stop(child)
                return
        assert self._exit is not None
        self.phase = Phase.ended
        self._emit(SupervisorStopped(**self._where(), reason=self._exit.reason))
        self._out.append(self._exit)

    # One step on one child; `child_requests` uses these too

    def add(self, spec: ChildSpec, *, new: bool) -> Child:
        """Take `spec` in after the others. Raises ChildExists or InvalidChildSpec."""
        if spec.id in self.children:
            raise ChildExists(spec.id)
        if spec.significant and self.rules.auto_shutdown is AutoShutdown.never:
            raise InvalidChildSpec(
                f"child {spec.id!r} is significant, but supervisor {self.path!r} never ends itself; "
                "set its auto_shutdown to any_significant or all_significant"
            )
        child = self.children[spec.id] = Child(spec, new=new)
        return child

    def forget(self, child: Child) -> None:
        """`child` is no child of this supervisor any more."""
        del self.children[child.id]
        self.episodes.need_not_stop(child.id)
        self.episodes.need_not_start(child.id)
        self.answer_start(child, ChildStartFailed(child.id, child.last_exit or Shutdown()))

    def stop(self, child: Child) -> None:
        """Ask a child that is alive to end, once."""
        if child.state is ChildState.stopping:
            return
        child.state = ChildState.stopping
        self._out.append(do.StopChild(child.id, child.incarnation, child.spec.shutdown_s))

    def answer(self, request: int, error: SupervisorError | None = None) -> None:
        self._out.append(do.Answer(request, error))

    def answer_start(self, child: Child, error: SupervisorError | None = None) -> None:
        """Answer the caller that waits for `child` to start, if there is one."""
        request, child.start_request = child.start_request, None
        if request is not None:
            self.answer(request, error)

    def _answer_stops(self, child: Child, error: SupervisorError | None = None) -> None:
        requests, child.stop_requests = child.stop_requests, []
        for request in requests:
            self.answer(request, error)

    def _start(self, child: Child) -> None:
        child.state, child.started_s = ChildState.starting, None
        child.incarnation = self._incarnations[child.id] = self._incarnations.get(child.id, 0) + 1
        child.restarts += child.last_exit is not None and child.start_request is None
        self._out.append(do.StartChild(child.spec, child.incarnation))

    def _incarnation(self, child_id: str, incarnation: int) -> Child | None:
        child = self.children.get(child_id)
        return child if child is not None and child.incarnation == incarnation else None

    def _where(self) -> _Where:
        return {"path": self.path, "at_s": self._now_s}

    def _emit(self, event: SupervisorEvent) -> None:
        self._out.append(do.Emit(event))
