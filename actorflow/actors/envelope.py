"""Envelopes: what lies in a mailbox.

A tell is a bare tuple, since most messages are tells; everything that needs more than its call carries it here.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

from actorflow.actors.errors import AskError

if TYPE_CHECKING:
    from actorflow.actors.cell import Cell
    from actorflow.actors.monitor import ActorMonitor, Down
    from actorflow_supervisors.loop import Slot

Tell: TypeAlias = tuple[str, tuple[Any, ...], dict[str, Any] | None]
"""A call without a reply: the handler's name, positional arguments, named ones or None."""


class Failure:
    """An outcome of an ask that is raised at the asker."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


class Ask:
    """A call whose reply is awaited. Its slot is filled exactly once: a reply, or a `Failure`.

    deadline_s: of the loop's clock, after which nobody waits any more; inf for none.
    target: whom it is waited for.
    patient: may wait for a new incarnation. deferred: the reply comes later, from elsewhere.
    crashes: the errors of incarnations that it crashed so far.
    """

    __slots__ = ("args", "crashes", "deadline_s", "deferred", "kwargs", "name", "patient", "slot", "target")

    def __init__(
        self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], slot: Slot, target: Cell, deadline_s: float
    ) -> None:
        self.name = name
        self.args = args
        self.kwargs = kwargs
        self.slot = slot
        self.target = target
        self.deadline_s = deadline_s
        self.patient = True
        self.deferred = False
        self.crashes: tuple[BaseException, ...] = ()

    def fail(self, error: BaseException) -> None:
        """Raise `error` at the asker, unless it has its outcome or has gone."""
        if not self.slot.done():
            self.slot.set_result(Failure(error))

    def reply(self, value: object) -> None:
        """Answer the asker, unless it has its outcome or has gone."""
        if not self.slot.done():
            self.slot.set_result(value)

    def waiting_path(self) -> tuple[str, ...]:
        """The asked actor, whom that one waits for, and so on."""
        path = [self.target.path]
        cell = self.target
        while (ask := cell.waiting_on) is not None and len(path) < MAX_PATH:
            cell = ask.target
            path.append(cell.path)
        return tuple(path)


MAX_PATH = 32
"""Actors named in one path of an error."""


class Retold:
    """A tell that is handled once more, after it crashed an incarnation; `crashes` are the errors so far."""

    __slots__ = ("args", "crashes", "kwargs", "name")

    def __init__(self, tell: Tell, crashes: tuple[BaseException, ...]) -> None:
        self.name, self.args, kwargs = tell
        self.kwargs: dict[str, Any] = kwargs or {}
        self.crashes = crashes


class Tick:
    """A timer's message; void in any incarnation but the one that set the timer."""

    __slots__ = ("args", "incarnation", "kwargs", "name", "queued")

    def __init__(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], incarnation: int) -> None:
        self.name = name
        self.args = args
        self.kwargs = kwargs
        self.incarnation = incarnation
        self.queued = False


class DownNotice:
    """News for a monitoring actor; void once the monitor is cancelled."""

    __slots__ = ("down", "monitor")

    def __init__(self, monitor: ActorMonitor, down: Down) -> None:
        self.monitor = monitor
        self.down = down


Message: TypeAlias = Tell | Ask | Retold | Tick | DownNotice

NEVER_S = math.inf
"""The deadline of an ask that may wait for ever."""


def handler_name(message: Message) -> str:
    """The handler that `message` calls, for people."""
    if isinstance(message, tuple):
        return message[0]
    return "down" if isinstance(message, DownNotice) else message.name


def outcome_of(value: Any) -> Any:
    """The reply, or the failure raised."""
    if type(value) is Failure:
        raise value.error
    return value


__all__ = [
    "NEVER_S",
    "Ask",
    "AskError",
    "DownNotice",
    "Failure",
    "Message",
    "Retold",
    "Tell",
    "Tick",
    "handler_name",
    "outcome_of",
]
