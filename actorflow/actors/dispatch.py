"""Dispatch: what an actor's class answers to, worked out once for each class."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, cast

from actorflow.actors.actor import Actor
from actorflow.actors.handler import Handler, handlers_of

Method = Callable[..., Coroutine[Any, Any, Any]]
"""A handler bound to its actor."""

NO_METHODS: Final[dict[str, Method]] = {}
"""Of an actor that has had no message yet."""


@dataclass(frozen=True, slots=True)
class Table:
    """One class: its handlers, and which hooks it overrides."""

    handlers: dict[str, Handler[Any, Any, Any]]
    has_started: bool
    has_stopping: bool
    has_down: bool

    def bind(self, actor: Actor) -> dict[str, Method]:
        """The handlers as methods of `actor`: a bound method takes arguments as they come out of a message."""
        return {name: getattr(actor, name) for name in self.handlers}


NO_TABLE = Table(handlers={}, has_started=False, has_stopping=False, has_down=False)
"""Of an actor that was never made."""

_tables: dict[type, Table] = {}


def table_of(cls: type[Actor]) -> Table:
    """The table of exactly this class."""
    table = _tables.get(cls)
    if table is None:
        handlers = handlers_of(cls)
        table = _tables[cls] = Table(
            handlers=handlers,
            has_started=cls.started is not Actor.started,
            has_stopping=cls.stopping is not Actor.stopping,
            has_down=cls.down is not Actor.down,
        )
    return table


def is_binding_error(error: BaseException) -> bool:
    """True if the arguments did not fit the handler: the call itself raised, before the handler's first line."""
    trace = error.__traceback__
    return isinstance(error, TypeError) and trace is not None and trace.tb_next is None


def leaf_of(error: BaseException) -> BaseException:
    """The single error inside nested groups, as a task group raises it."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    group = cast("BaseExceptionGroup[BaseException]", error)
    if len(group.exceptions) != 1:
        return group
    leaf = leaf_of(group.exceptions[0])
    leaf.add_note(f"raised inside {type(group).__name__}: {group.message}")
    return leaf
