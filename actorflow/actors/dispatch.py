"""Dispatch: what an actor's class answers to, worked out once for each class."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, cast

from actorflow.actors.actor import Actor
from actorflow.actors.handler import Handler, handlers_of

Function = Callable[..., Coroutine[Any, Any, Any]]


@dataclass(frozen=True, slots=True)
class Table:
    """One class: its handlers, their functions, and which hooks it overrides."""

    functions: dict[str, Function]
    handlers: dict[str, Handler[Any, Any, Any]]
    has_started: bool
    has_stopping: bool
    has_down: bool


NO_TABLE = Table(functions={}, handlers={}, has_started=False, has_stopping=False, has_down=False)
"""Of an actor that was never made."""

_tables: dict[type, Table] = {}


def table_of(cls: type[Actor]) -> Table:
    """The table of exactly this class."""
    table = _tables.get(cls)
    if table is None:
        handlers = handlers_of(cls)
        table = _tables[cls] = Table(
            functions=cast("dict[str, Function]", handlers),
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
