"""Steering a run from outside: what a signal handler, another thread or the program around it may call."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol


class SteeredRun(Protocol):
    """The run's side of a control: called in the run's loop."""

    def cancel_run(self, reason: str) -> None: ...
    def kill_run(self) -> None: ...
    def pause_run(self, reason: str, *, now: bool) -> None: ...
    def resume_run(self, reason: str) -> None: ...


class _Pause(NamedTuple):
    reason: str
    now: bool


class _Resume(NamedTuple):
    reason: str


class RunControl:
    """A handle made before the run. Its methods are idempotent, and safe from signal handlers and other threads.

    cancel: nothing starts any more, what runs is ended within its grace, then the run ends as cancelled.
    kill: what runs is ended with no grace.
    pause: nothing starts any more, what runs ends by itself; with `now` it is taken back, to run again after the pause.
    resume: what is ready starts again.

    None of them waits: the run's events tell when it is done. A pause that is asked before the run takes effect as soon
    as the run has begun. What is asked after its end does nothing.
    """

    def __init__(self) -> None:
        self._reason: str | None = None
        self._killed = False
        self._steps: deque[_Pause | _Resume] = deque()
        self._run: SteeredRun | None = None
        self._call: Callable[..., object] | None = None

    @property
    def reason(self) -> str | None:
        """Why the run was cancelled; None if it was not."""
        return self._reason

    def cancel(self, reason: str = "cancelled by the caller") -> None:
        if self._reason is None:
            self._reason = reason
            self._pass_on()

    def kill(self) -> None:
        self._reason = self._reason or "killed by the caller"
        self._killed = True
        self._pass_on()

    def pause(self, reason: str = "paused by the caller", *, now: bool = False) -> None:
        self._steps.append(_Pause(reason, now))
        self._pass_on()

    def resume(self, reason: str = "resumed by the caller") -> None:
        self._steps.append(_Resume(reason))
        self._pass_on()

    def attach(self, run: SteeredRun, call_from_anywhere: Callable[..., object]) -> None:
        """For the runner: the run has begun; what was asked before reaches it now."""
        self._run = run
        self._call = call_from_anywhere
        self._pass_on()

    def detach(self) -> None:
        """For the runner: the run is over; what is asked from here on does nothing."""
        self._run = None
        self._call = None

    def _pass_on(self) -> None:
        if self._call is not None:
            self._call(self._deliver)

    def _deliver(self) -> None:
        run = self._run
        if run is None:
            return
        if self._reason is not None:
            run.cancel_run(self._reason)
        if self._killed:
            run.kill_run()
        while self._steps:
            match self._steps.popleft():
                case _Pause(reason, now):
                    run.pause_run(reason, now=now)
                case _Resume(reason):
                    run.resume_run(reason)
