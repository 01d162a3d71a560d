"""Child spec: what a supervisor has to know to start, restart and stop one child."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, Protocol, TypeAlias

from actorflow_supervisors.backoff import Backoff
from actorflow_supervisors.errors import InvalidChildSpec
from actorflow_supervisors.intensity import RestartIntensity
from actorflow_supervisors.policy import Restart, RestartName
from actorflow_supervisors.tree import ChildTree

Run: TypeAlias = Callable[..., Awaitable[Any]]
"""A zero-argument async callable; with `signals_started=True` one that takes `started: Callable[[], None]`."""


class Placement(Protocol):
    """Where the code of a child runs, when that is not this process's loop: `Subprocess()`."""

    def placed(self, run: Run, shutdown_s: float | None, *, signals_started: bool) -> Run:
        """What runs here in its place. Raises InvalidChildSpec where `run` cannot be found there."""
        ...


class AutoShutdown(StrEnum):
    """When a supervisor ends itself: never, or when the first or the last of its significant children has ended."""

    never = "never"
    any_significant = "any_significant"
    all_significant = "all_significant"


AutoShutdownName: TypeAlias = Literal["never", "any_significant", "all_significant"]


@dataclass(frozen=True, slots=True, init=False)
class ChildSpec:
    """One child of a supervisor.

    id: unique among its siblings.
    run: any zero-argument async callable. With `signals_started=True` it is called with one argument
        `started: Callable[[], None]` and counts as started when it calls it; otherwise as soon as it runs.
    restart: permanent, transient or temporary (`policy`).
    shutdown_s: seconds of grace between the request to stop and giving it up; None waits for ever (a supervisor below
        this one has its own graces), 0 gives no grace.
    significant: its end by itself counts for the supervisor's `auto_shutdown`; not for a permanent child.
    backoff, intensity: its own in place of the supervisor's. With an intensity of its own, its restarts spend that and
        not the supervisor's.
    placement: `Subprocess()` gives it a process of its own; `run` is then the callable that stands for it here.
    children: what stands below it, for `Supervisor.tree()`; given for a child that is itself a supervisor.
    Raises InvalidChildSpec for a value outside these bounds. Source: Erlang/OTP child specifications.
    """

    id: str
    run: Run
    restart: Restart
    shutdown_s: float | None
    significant: bool
    signals_started: bool
    backoff: Backoff | None
    intensity: RestartIntensity | None
    children: Callable[[], tuple[ChildTree, ...]] | None

    def __init__(
        self,
        *,
        id: str,
        run: Run,
        restart: Restart | RestartName = Restart.permanent,
        shutdown_s: float | None = 5.0,
        significant: bool = False,
        signals_started: bool = False,
        backoff: Backoff | None = None,
        intensity: RestartIntensity | None = None,
        children: Callable[[], tuple[ChildTree, ...]] | None = None,
        placement: Placement | None = None,
    ) -> None:
        put = object.__setattr__
        put(self, "id", id)
        put(self, "run", run)
        put(self, "restart", _restart(id, restart))
        put(self, "shutdown_s", shutdown_s)
        put(self, "significant", significant)
        put(self, "signals_started", signals_started)
        put(self, "backoff", backoff)
        put(self, "intensity", intensity)
        put(self, "children", children)
        _check(self)
        if placement is not None:
            _check_placement(id, placement)
            put(self, "run", placement.placed(run, shutdown_s, signals_started=signals_started))


def _restart(child_id: str, restart: str) -> Restart:
    try:
        return Restart(restart)
    except ValueError:
        names = ", ".join(Restart)
        raise InvalidChildSpec(f"restart of child {child_id!r} is one of {names}, not {restart!r}") from None


def _check(spec: ChildSpec) -> None:
    if not spec.id:
        raise InvalidChildSpec("a child needs an id that is not empty")
    if not callable(spec.run):
        raise InvalidChildSpec(
            f"run of child {spec.id!r} must be an async callable, not {spec.run!r}; give the function, do not call it"
        )
    if spec.shutdown_s is not None and not spec.shutdown_s >= 0:
        raise InvalidChildSpec(f"shutdown_s of child {spec.id!r} must be 0 or more, or None, not {spec.shutdown_s}")
    if spec.significant and spec.restart is Restart.permanent:
        raise InvalidChildSpec(
            f"child {spec.id!r} is significant and permanent, so it never ends for good; make it transient or temporary"
        )


def _check_placement(child_id: str, placement: object) -> None:
    if isinstance(placement, type) or not hasattr(placement, "placed"):
        raise InvalidChildSpec(f"placement of child {child_id!r} is a value such as Subprocess(), not {placement!r}")
