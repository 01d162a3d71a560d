"""Errors of supervision.

SupervisorError
 ├── InvalidChildSpec          a child spec that contradicts itself (also a ValueError)
 ├── ChildExists               a child with this id is there already
 ├── NoSuchChild               no child has this id
 ├── MaxChildren               a dynamic supervisor has as many children as it may have
 ├── ChildStillRunning         asked to restart or delete a child that has not ended
 ├── ChildStartFailed          a child ended before it had started
 ├── ChildProcessFailed        what a child raised in a process of its own
 ├── ChildProcessEnded         a child's process ended before its code did
 ├── ChildDidNotStop           a child was asked to end and did not within its grace
 ├── IntensityExceeded         too many restarts: the supervisor has stopped all its children and itself
 └── SupervisorNotRunning      asked something of a supervisor that does not run
"""

from __future__ import annotations

from actorflow_supervisors.exit_reason import Crashed, ExitReason, InitFailed, Killed, describe


class SupervisorError(Exception):
    """Base of every error that supervision raises."""


class InvalidChildSpec(SupervisorError, ValueError):
    """A child spec that contradicts itself; the message names the child, the value and the way out."""


class ChildExists(SupervisorError):
    """A child with this id is there already."""

    def __init__(self, child_id: str) -> None:
        super().__init__(f"a child {child_id!r} is there already; choose another id, or delete it first")
        self.child_id = child_id


class NoSuchChild(SupervisorError):
    """No child has this id."""

    def __init__(self, child_id: str, known: tuple[str, ...] = ()) -> None:
        super().__init__(f"no child {child_id!r}; there are: {', '.join(map(repr, known)) or 'none'}")
        self.child_id = child_id


class MaxChildren(SupervisorError):
    """A dynamic supervisor has as many children as it may have."""

    def __init__(self, child_id: str, max_children: int) -> None:
        super().__init__(
            f"child {child_id!r} was not started: {max_children:,} of {max_children:,} children run; "
            "wait for one to end, or raise max_children"
        )
        self.child_id = child_id
        self.max_children = max_children


class ChildStillRunning(SupervisorError):
    """The child has to be stopped before it can be restarted by hand or deleted."""

    def __init__(self, child_id: str, state: str) -> None:
        super().__init__(f"child {child_id!r} is {state}; stop it first")
        self.child_id = child_id


class ChildStartFailed(SupervisorError):
    """A child ended before it had started; `reason` says why, and its error is the cause of this one."""

    def __init__(self, child_id: str, reason: ExitReason, cause: BaseException | None = None) -> None:
        super().__init__(f"child {child_id!r} did not start: {describe(reason)}{_below(cause)}")
        self.child_id = child_id
        self.reason = reason
        self.__cause__ = cause or error_of(reason)


class ChildDidNotStop(SupervisorError):
    """A child was asked to end, did not within its grace, and was abandoned: it may still be running."""

    def __init__(self, child_id: str, grace_s: float) -> None:
        super().__init__(
            f"child {child_id!r} did not end within {grace_s:g} s and was abandoned; "
            "let cancellation pass through it, or allow it more with shutdown_s"
        )
        self.child_id = child_id
        self.grace_s = grace_s


class IntensityExceeded(SupervisorError):
    """A child failed more often than its budget allows, so its supervisor stopped all children and gave up.

    path: the supervisor's place in its tree. child_id: whose failure was the last. restarts: restarts within the window
    before it. max_seconds: length of the window. last_exit: why the child ended the last time; its error, or the
    IntensityExceeded of a supervisor below, is the cause of this one.
    """

    def __init__(
        self,
        child_id: str,
        restarts: int,
        max_seconds: float,
        last_exit: ExitReason,
        *,
        path: str = "supervisor",
        cause: BaseException | None = None,
    ) -> None:
        super().__init__(
            f"supervisor {path!r} gave up: child {child_id!r} failed again after {restarts} restarts within "
            f"{max_seconds:g} s, the limit; last exit: {describe(last_exit)}{_below(cause)}"
        )
        self.path = path
        self.child_id = child_id
        self.restarts = restarts
        self.max_seconds = max_seconds
        self.last_exit = last_exit
        self.__cause__ = cause or error_of(last_exit)


class SupervisorNotRunning(SupervisorError):
    """The supervisor has not been entered, is stopping, or has ended."""


def error_of(reason: ExitReason) -> BaseException | None:
    """The exception inside `reason`, if there is one."""
    return reason.error if isinstance(reason, Crashed | InitFailed) else None


def _below(cause: BaseException | None) -> str:
    return f"; below it: {cause}" if isinstance(cause, SupervisorError) else ""


class ChildProcessFailed(SupervisorError):
    """What a child raised in its process. type_name: its class. traceback: as Python printed it there."""

    def __init__(self, type_name: str, message: str, traceback: str) -> None:
        super().__init__(f"{type_name}: {message}")
        self.type_name = type_name
        self.traceback = traceback


class ChildProcessEnded(SupervisorError):
    """The process of a child ended before its code did. exit_reason: how."""

    def __init__(self, exit_reason: Killed) -> None:
        super().__init__(exit_reason.detail)
        self.exit_reason: ExitReason = exit_reason
