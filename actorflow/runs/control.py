"""Ending a run from outside: what a signal handler, another thread or the program around it may call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class RunEnder(Protocol):
    """The run's side of a control: called in the run's loop."""

    def cancel_run(self, reason: str) -> None: ...
    def kill_run(self) -> None: ...


class RunControl:
    """A handle made before the run. Both methods are idempotent, and safe from signal handlers and other threads.

    cancel: nothing starts any more, what runs is ended within its grace, then the run ends as cancelled.
    kill: what runs is ended with no grace.
    """

    def __init__(self) -> None:
        self._reason: str | None = None
        self._killed = False
        self._run: RunEnder | None = None
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

    def attach(self, run: RunEnder, call_from_anywhere: Callable[..., object]) -> None:
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
        if self._run is None:
            return
        if self._reason is not None:
            self._run.cancel_run(self._reason)
        if self._killed:
            self._run.kill_run()
