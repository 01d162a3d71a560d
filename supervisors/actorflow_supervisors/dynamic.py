"""Dynamic supervisor: any number of children of one kind, started and stopped at any time.

Each child lives in a task of its own (`child`). It never spends a sibling's budget, and when it gives up it takes
nobody with it. All children are stopped at once and share one grace. Source: elixir `DynamicSupervisor`; the budgets
and the backoff are ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from random import Random
from types import TracebackType
from typing import Protocol, Self

import anyio

from actorflow_supervisors.backoff import Backoff
from actorflow_supervisors.child import (
    DEFAULT_BACKOFF,
    DEFAULT_INTENSITY,
    Child,
    ChildPolicy,
    ChildT,
    SpecChild,
    Verdict,
    wake,
)
from actorflow_supervisors.child_spec import ChildSpec
from actorflow_supervisors.errors import ChildStartFailed, MaxChildren, SupervisorNotRunning
from actorflow_supervisors.exit_reason import ExitReason, Shutdown
from actorflow_supervisors.intensity import RestartIntensity
from actorflow_supervisors.loop import Home, Slot, Timer, current_seam
from actorflow_supervisors.policy import Restart, RestartName
from actorflow_supervisors.stop_bound import StopBound
from actorflow_supervisors.supervisor_life import Started
from actorflow_supervisors.tree import ChildTree

STOPS_PER_TURN = 256
"""Children asked to stop in one go; then the loop turns once, so that stopping 10,000 delays no heartbeat."""

DEFAULT_STOP = Shutdown()


class OnExit(Protocol):
    """Told of each end of an incarnation, in place, before the next one starts. Must not raise."""

    def __call__(self, child: Child, reason: ExitReason, verdict: Verdict, /) -> None: ...


class DynamicSupervisor:
    """Children started and stopped at any time, each with a budget of its own.

    max_children: more than so many at once are refused; None is no limit.
    intensity, backoff: of a child whose spec names none. rng: gives the random part of backoffs.
    on_exit: told of every end of an incarnation, in place. shutdown_s: for `stop_all` as a whole, whatever the graces
    of the children; None is no bound. bound: one that is shared with other supervisors, in place of it.
    Used as an async context manager it has a home of its own; leaving stops every child. An owner that has a home
    calls `open` and `stop_all` instead.
    """

    def __init__(
        self,
        *,
        max_children: int | None = None,
        intensity: RestartIntensity = DEFAULT_INTENSITY,
        backoff: Backoff = DEFAULT_BACKOFF,
        rng: Random | None = None,
        on_exit: OnExit | None = None,
        shutdown_s: float | None = None,
        bound: StopBound | None = None,
    ) -> None:
        self.max_children = max_children
        self.intensity = intensity
        self.backoff = backoff
        self.rng = Random() if rng is None else rng
        self.stopping = False
        self._bound = StopBound(shutdown_s) if bound is None else bound
        self._on_exit = on_exit
        self._home: Home | None = None
        self._own_home: AbstractAsyncContextManager[Home] | None = None
        self._children: dict[Child, None] = {}
        self._overdue_s: dict[Child, float] = {}
        self._grace_timer: Timer | None = None
        self._grace_timer_s = math.inf
        self._last_ended: Slot | None = None

    async def __aenter__(self) -> Self:
        self._own_home = current_seam().open_home()
        self.open(await self._own_home.__aenter__())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._own_home is not None
        try:
            await self.stop_all(hasty=error is None)
        finally:
            await self._own_home.__aexit__(kind, error, trace)

    def open(self, home: Home) -> None:
        """Take children from now on; their tasks live in `home`."""
        self._home = home
        self.stopping = False

    def as_child(
        self,
        id: str,
        *,
        restart: Restart | RestartName = Restart.permanent,
        shutdown_s: float | None = None,
    ) -> ChildSpec:
        """This supervisor as a child of a `Supervisor`, whose `tree()` shows its children.

        shutdown_s: None, the default, waits for as long as its own children are given. Each incarnation starts without
        children; this object reaches the present one.
        """
        return ChildSpec(
            id=id,
            run=self._run_as_child,
            restart=restart,
            shutdown_s=shutdown_s,
            signals_started=True,
            children=self.tree,
        )

    async def _run_as_child(self, started: Callable[[], None]) -> None:
        if isinstance(started, Started):
            self._bound = started.bound
        async with self:
            started()
            await current_seam().slot()

    @property
    def children(self) -> tuple[Child, ...]:
        """Those that have not ended, oldest first."""
        return tuple(self._children)

    def __len__(self) -> int:
        return len(self._children)

    def tree(self) -> tuple[ChildTree, ...]:
        """The children as values, oldest first."""
        return tuple(child.tree() for child in self._children)

    # Start.

    def start_child_nowait(self, spec: ChildSpec) -> Child:
        """Start a child, and return before it is up.

        Raises MaxChildren, or SupervisorNotRunning when the supervisor is not open or is stopping.
        """
        policy = ChildPolicy(
            restart=spec.restart,
            shutdown_s=spec.shutdown_s,
            intensity=spec.intensity or self.intensity,
            backoff=spec.backoff or self.backoff,
        )
        return self.adopt_nowait(SpecChild(spec, policy))

    async def start_child(self, spec: ChildSpec) -> Child:
        """Start a child and wait until it is up; a cancelled start leaves no child behind.

        Raises ChildStartFailed, and what `start_child_nowait` raises.
        """
        return await self.started(self.start_child_nowait(spec))

    def adopt_nowait(self, child: ChildT) -> ChildT:
        """Start a child that its owner has made; see `start_child_nowait`."""
        if self._home is None or self.stopping:
            state = "is stopping" if self.stopping else "has not been entered"
            raise SupervisorNotRunning(f"the supervisor of {child.label!r} {state}, so it starts no children")
        if self.max_children is not None and len(self._children) >= self.max_children:
            raise MaxChildren(child.label, self.max_children)
        self._children[child] = None
        child.begin(self, self._home)
        return child

    async def started(self, child: ChildT) -> ChildT:
        """`child`, once it is up; see `start_child`."""
        try:
            await child.wait_started()
        except ChildStartFailed:
            raise
        except BaseException:
            self.stop_child_nowait(child)
            raise
        return child

    # Stop.

    def stop_child_nowait(self, child: Child, reason: ExitReason = DEFAULT_STOP) -> None:
        """Ask `child` to end for `reason`; after its grace it is abandoned. Harmless if it has ended."""
        if child.ended or child.stop_reason is not None:
            return
        child.request_stop(reason)
        if not child.ended:
            self._arm(child)

    async def stop_child(self, child: Child, reason: ExitReason = DEFAULT_STOP) -> None:
        """Ask `child` to end for `reason`, and return when it has, or was abandoned."""
        self.stop_child_nowait(child, reason)
        await child.wait_ended()

    async def stop_all(self, reason: ExitReason = DEFAULT_STOP, *, hasty: bool = False) -> None:
        """Stop all children at once, each within its grace, and start none any more.

        Shielded, since children must end in good order when the owner is cancelled; the graces bound it, and
        `shutdown_s`. With `hasty` it is not, and a cancellation while it stops is a `kill`, as is Ctrl-C in any case.
        """
        assert self._home is not None
        self.stopping = True
        self._bound.begin(self._home.seam)
        forget = self._bound.on_kill(self._abandon_all)
        try:
            with anyio.CancelScope(shield=not hasty) as scope:
                try:
                    await self._stop_children(reason)
                except BaseException:
                    scope.shield = True
                    self.kill()
                    await self._stop_children(reason)
                    raise
        finally:
            forget()
            self._set_grace_timer(math.inf)

    def kill(self) -> None:
        """Stop waiting for children that are asked to end: they are abandoned at once, and so are those asked later."""
        assert self._home is not None
        self._bound.kill(self._home.seam)

    def stop_all_nowait(self, reason: ExitReason = DEFAULT_STOP) -> None:
        """Ask all children to end, each within its grace, and start none any more; do not wait."""
        self.stopping = True
        for child in self.children:
            self.stop_child_nowait(child, reason)

    def _abandon_all(self) -> None:
        assert self._home is not None
        for child in self.children:
            if child.stop_reason is not None:
                child.abandon(self._home)

    async def _stop_children(self, reason: ExitReason) -> None:
        await self._request_stops(reason)
        await self._wait_for_all()

    async def _request_stops(self, reason: ExitReason) -> None:
        assert self._home is not None
        for number, child in enumerate(self.children, start=1):
            child.request_stop(reason)
            if number % STOPS_PER_TURN == 0:
                await self._home.seam.checkpoint()

    async def _wait_for_all(self) -> None:
        assert self._home is not None
        seam = self._home.seam
        deadlines_s = {child: self._deadline_s(child) for child in self._children}
        while self._children:
            self._last_ended = seam.slot()
            with anyio.CancelScope(deadline=min(deadlines_s[child] for child in self._children)):
                await self._last_ended
            now_s = seam.now_s()
            for child in [child for child in self._children if deadlines_s[child] <= now_s]:
                if self._bound.at_s > now_s and child.grace_extended():
                    deadlines_s[child] = self._deadline_s(child)
                else:
                    child.abandon(self._home)

    def _deadline_s(self, child: Child) -> float:
        assert self._home is not None
        now_s = self._home.seam.now_s()
        grace_s = self._bound.shrunk(child.policy.shutdown_s, now_s)
        return math.inf if grace_s is None else now_s + grace_s

    def _arm(self, child: Child) -> None:
        """Note when the grace of `child` is over; one timer, for whichever is over first, serves them all."""
        overdue_s = self._deadline_s(child)
        if overdue_s == math.inf:
            return
        self._overdue_s[child] = overdue_s
        if overdue_s < self._grace_timer_s:
            self._set_grace_timer(overdue_s)

    def _set_grace_timer(self, when_s: float) -> None:
        assert self._home is not None
        if self._grace_timer is not None:
            self._grace_timer.cancel()
        self._grace_timer = None if when_s == math.inf else self._home.seam.call_at(when_s, self._on_grace_over)
        self._grace_timer_s = when_s

    def _on_grace_over(self) -> None:
        assert self._home is not None
        self._grace_timer, self._grace_timer_s = None, math.inf
        now_s = self._home.seam.now_s()
        for child in [child for child, overdue_s in self._overdue_s.items() if overdue_s <= now_s]:
            del self._overdue_s[child]
            if self._bound.at_s > now_s and child.grace_extended():
                self._arm(child)
            else:
                child.abandon(self._home)
        self._set_grace_timer(min(self._overdue_s.values(), default=math.inf))

    # Told by the children.

    def incarnation_ended(self, child: Child, reason: ExitReason, verdict: Verdict) -> None:
        """For `Child`: called in its task, or where it is abandoned."""
        child.on_exit(reason, verdict)
        if self._on_exit is not None:
            self._on_exit(child, reason, verdict)

    def interrupted(self, error: KeyboardInterrupt) -> None:
        """For `Child`: the whole program is to end."""
        if self._home is not None:
            self._home.interrupt(error)

    def child_ended(self, child: Child, reason: ExitReason) -> None:
        """For `Child`: it ended for good."""
        self._children.pop(child, None)
        self._overdue_s.pop(child, None)
        child.on_end(reason)
        if not self._children and self._last_ended is not None:
            wake(self._last_ended)
