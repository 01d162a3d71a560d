"""Supervisor: keeps a fixed set of children alive, in order, by one strategy."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from random import Random
from types import TracebackType
from typing import Self

import anyio

from actorflow_supervisors import instructions as do
from actorflow_supervisors.backoff import Backoff
from actorflow_supervisors.child_spec import AutoShutdown, AutoShutdownName, ChildSpec
from actorflow_supervisors.errors import InvalidChildSpec, SupervisorNotRunning
from actorflow_supervisors.event_log import log_event, logger
from actorflow_supervisors.events import SupervisorEvent
from actorflow_supervisors.exit_reason import ExitReason
from actorflow_supervisors.intensity import RestartIntensity
from actorflow_supervisors.policy import Restart, RestartName
from actorflow_supervisors.stop_bound import StopBound
from actorflow_supervisors.strategy import Strategy, StrategyName
from actorflow_supervisors.supervisor_life import Life, Started
from actorflow_supervisors.supervisor_state import Phase, Rules, SupervisorState
from actorflow_supervisors.tree import ChildKind, ChildState, ChildTree
from actorflow_supervisors.watchdog import LoopWatchdog

DEFAULT_INTENSITY = RestartIntensity()
DEFAULT_BACKOFF = Backoff()

_STATE_OF_PHASE = {
    Phase.starting: ChildState.starting,
    Phase.running: ChildState.running,
    Phase.stopping: ChildState.stopping,
    Phase.ended: ChildState.stopped,
}


class Supervisor:
    """Starts children in order, restarts those that fail, stops them in reverse order.

        async with Supervisor([ChildSpec(id="feed", run=feed), ChildSpec(id="index", run=index)]) as supervisor:
            await supervisor.wait()

    children: child specs, and other supervisors' `as_child(...)`, in start order; a whole tree is one value.
    name: what it is called in events, errors and `tree()`.
    strategy, intensity, backoff (None: restart at once, always), auto_shutdown: see the modules of these names.
    rng: the source of the backoff's jitter.
    watchdog: watches the loop for as long as this supervisor lives, and its findings are events of it; one a loop is
    enough, so it belongs to the root.
    shutdown_s: for the stop of the whole tree, if this is its root: graces shrink to what is left; None: no bound.

    Entering the block returns once all children have started; if one fails to, those before it are stopped and
    ChildStartFailed is raised. Leaving it stops the children in reverse order, each within its grace; cancelled or
    interrupted while it does, it waits no longer: `kill`. A supervisor that
    gives up cancels the block, and leaving it raises IntensityExceeded. KeyboardInterrupt in a child stops the whole
    tree and leaves by the root's block; SystemExit is a crash of that child. The object can be entered again, but not
    twice at once.
    """

    def __init__(
        self,
        children: Iterable[ChildSpec] = (),
        *,
        name: str = "supervisor",
        strategy: Strategy | StrategyName = Strategy.one_for_one,
        intensity: RestartIntensity = DEFAULT_INTENSITY,
        backoff: Backoff | None = DEFAULT_BACKOFF,
        auto_shutdown: AutoShutdown | AutoShutdownName = AutoShutdown.never,
        rng: Random | None = None,
        watchdog: LoopWatchdog | None = None,
        shutdown_s: float | None = None,
    ) -> None:
        self.name = name
        self.shutdown_s = shutdown_s
        StopBound(shutdown_s)  # refused where it is written
        self.children = tuple(children)
        self._rules = _rules(name, strategy, intensity, backoff, auto_shutdown)
        self._rng = rng or Random()
        self._watchdog = watchdog
        self._life: Life | None = None
        self._lives = 0
        self._last_exit: ExitReason | None = None
        self._incarnations: dict[str, int] = {}
        self._abandoned: set[str] = set()
        self._subscribers: list[Callable[[SupervisorEvent], None]] = []
        self._scope: anyio.CancelScope | None = None
        self._new_state(name)  # A wrong tree is refused where it is written, not where it is run.

    # As a block

    async def __aenter__(self) -> Self:
        life = self._begin(self.name, self._publish, StopBound(self.shutdown_s))
        try:
            await life.booted.wait()
        except BaseException:
            life.tell(do.StopAsked("cancelled"))
            await life.wind_up()
            raise
        if life.exit is not None:
            await life.wind_up()
            if life.exit.error is not None:
                raise life.exit.error
        self._scope = anyio.CancelScope()
        self._scope.__enter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        life, scope, self._scope = self._running_life(), self._scope, None
        assert scope is not None, "entered"
        life.tell(do.StopAsked())
        cancelled = await life.wind_up(hasty=error is None)
        ours = scope.__exit__(kind, error, trace)
        failure = None if life.exit is None else life.exit.error
        if failure is not None and (error is None or ours or not isinstance(failure, Exception)):
            raise failure
        if failure is not None and error is not None:
            error.add_note(f"and before that: {failure}")
        if cancelled is not None and error is None:
            raise cancelled

    # As a child

    def as_child(
        self,
        id: str | None = None,
        *,
        restart: Restart | RestartName = Restart.permanent,
        shutdown_s: float | None = None,
        significant: bool = False,
        backoff: Backoff | None = None,
        intensity: RestartIntensity | None = None,
    ) -> ChildSpec:
        """This supervisor as a child of another one.

        id: its name unless given. shutdown_s: None, the default, waits for as long as its own children are given.
        Each incarnation starts anew with the declared children; this object reaches the present one.
        """
        return ChildSpec(
            id=self.name if id is None else id,
            run=self._run_as_child,
            restart=restart,
            shutdown_s=shutdown_s,
            significant=significant,
            signals_started=True,
            backoff=backoff,
            intensity=intensity,
            children=self._child_trees,
        )

    async def _run_as_child(self, started: Callable[[], None]) -> ExitReason:
        above = started if isinstance(started, Started) else None
        if above is None:
            life = self._begin(self.name, self._publish, StopBound(self.shutdown_s))
        else:
            life = self._begin(above.path, self._publish_to(above), above.bound)
        try:
            await life.booted.wait()
            if life.exit is None:
                started()
            await life.over.wait()
        except BaseException:
            life.tell(do.StopAsked())
            await life.wind_up()
            if life.exit is not None and isinstance(life.exit.error, KeyboardInterrupt):
                raise life.exit.error from None
            raise
        await life.wind_up()
        assert life.exit is not None
        if life.exit.error is not None:
            raise life.exit.error
        return life.exit.reason

    # For callers

    async def start_child(self, spec: ChildSpec) -> None:
        """Add a child after the others; returns once it has started.

        Raises ChildStartFailed, after it has been forgotten again, if it ends before that; ChildExists,
        InvalidChildSpec, SupervisorNotRunning. A cancelled caller undoes a start that has not finished.
        """
        await self._running_life().ask(partial(do.StartChildAsked, spec=spec))

    async def stop_child(self, child_id: str) -> None:
        """Stop a child; returns once it has ended. It keeps its place, unless it is temporary.

        Raises ChildDidNotStop when it has not ended within its grace; NoSuchChild, SupervisorNotRunning.
        """
        await self._running_life().ask(partial(do.StopChildAsked, child_id=child_id))

    async def restart_child(self, child_id: str) -> None:
        """Start a stopped child; returns once it has started.

        Raises ChildStartFailed, ChildStillRunning, NoSuchChild, SupervisorNotRunning.
        """
        await self._running_life().ask(partial(do.RestartChildAsked, child_id=child_id))

    async def delete_child(self, child_id: str) -> None:
        """Forget a stopped child. Raises ChildStillRunning, NoSuchChild, SupervisorNotRunning."""
        await self._running_life().ask(partial(do.DeleteChildAsked, child_id=child_id))

    def request_stop(self, detail: str = "") -> None:
        """Ask the supervisor to stop its children and end with `Shutdown(detail)`; see `wait`. Harmless when it has."""
        if self._life is not None:
            self._life.tell(do.StopAsked(detail))

    def kill(self) -> None:
        """Stop, and wait for no child: whichever does not end at once is abandoned. Of a root: the whole tree."""
        if self._life is not None and self._life.exit is None:
            self._life.tell(do.StopAsked("killed"))
            self._life.bound.kill(self._life.seam)

    async def wait(self) -> ExitReason:
        """Wait until the present life of the supervisor has ended; returns why.

        Raises IntensityExceeded if it gave up, SupervisorNotRunning if it never ran.
        """
        life = self._running_life()
        await life.over.wait()
        assert life.exit is not None
        if life.exit.error is not None:
            raise life.exit.error
        return life.exit.reason

    def tree(self) -> ChildTree:
        """This supervisor and everything below it at this moment."""
        phase = Phase.ended if self._life is None else self._life.state.phase
        return ChildTree(
            id=self.name,
            kind=ChildKind.supervisor,
            state=_STATE_OF_PHASE[phase],
            incarnation=self._lives,
            restarts=max(0, self._lives - 1),
            last_exit=self._last_exit,
            children=self._child_trees(),
        )

    def subscribe(self, callback: Callable[[SupervisorEvent], None]) -> Callable[[], None]:
        """Call `callback` with each event of this supervisor and those below it, in place; returns how to end that.

        The callback must not block; what it raises is logged.
        """
        self._subscribers.append(callback)

        def unsubscribe() -> None:
            if callback in self._subscribers:
                self._subscribers.remove(callback)

        return unsubscribe

    # Lives

    def _begin(self, path: str, emit: Callable[[SupervisorEvent], None], bound: StopBound) -> Life:
        if self._life is not None and self._life.exit is None:
            raise SupervisorNotRunning(f"supervisor {self.name!r} runs already; it can run once at a time")
        state = self._new_state(path)
        if self._watchdog is not None:
            self._watchdog.start(path, emit)
        self._life = Life(state, emit=emit, on_exit=self._on_exit, abandoned=self._abandoned, bound=bound)
        self._lives += 1
        self._life.tell(do.Begin())
        return self._life

    def _new_state(self, path: str) -> SupervisorState:
        return SupervisorState(self._rules, self.children, self._rng, path=path, incarnations=self._incarnations)

    def _on_exit(self, last: do.Exit) -> None:
        self._last_exit = last.reason
        if self._watchdog is not None:
            self._watchdog.stop()
        if last.error is not None and self._scope is not None:
            self._scope.cancel()

    def _running_life(self) -> Life:
        if self._life is None:
            raise SupervisorNotRunning(f"supervisor {self.name!r} has not been entered; use it as `async with`")
        return self._life

    def _child_trees(self) -> tuple[ChildTree, ...]:
        if self._life is None:
            return tuple(_tree_of_spec(spec) for spec in self.children)
        state = self._life.state
        return tuple(
            ChildTree(
                id=child.id,
                kind=_kind(child.spec),
                state=state.shown_state(child),
                incarnation=child.incarnation,
                restarts=child.restarts,
                last_exit=child.last_exit,
                children=() if child.spec.children is None else child.spec.children(),
            )
            for child in state.children.values()
        )

    # Events

    def _publish(self, event: SupervisorEvent) -> None:
        if event.path == self._path_of_life():
            log_event(event)
        for callback in tuple(self._subscribers):
            try:
                callback(event)
            except Exception:  # noqa: BLE001 - a subscriber must not break supervision
                logger.exception("a subscriber of supervisor %s failed on %r", self.name, event)

    def _publish_to(self, above: Started) -> Callable[[SupervisorEvent], None]:
        def publish(event: SupervisorEvent) -> None:
            self._publish(event)
            above.emit(event)

        return publish

    def _path_of_life(self) -> str | None:
        return None if self._life is None else self._life.state.path


def _rules(name: str, strategy: str, intensity: RestartIntensity, backoff: Backoff | None, auto_shutdown: str) -> Rules:
    try:
        return Rules(
            strategy=Strategy(strategy),
            intensity=intensity,
            backoff=backoff,
            auto_shutdown=AutoShutdown(auto_shutdown),
        )
    except ValueError as error:
        known = f"strategies: {', '.join(Strategy)}; auto_shutdown: {', '.join(AutoShutdown)}"
        raise InvalidChildSpec(f"supervisor {name!r}: {error}; {known}") from None


def _kind(spec: ChildSpec) -> ChildKind:
    return ChildKind.worker if spec.children is None else ChildKind.supervisor


def _tree_of_spec(spec: ChildSpec) -> ChildTree:
    below = () if spec.children is None else spec.children()
    return ChildTree(id=spec.id, kind=_kind(spec), state=ChildState.stopped, children=below)
