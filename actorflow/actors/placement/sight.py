"""Sight: what a placed actor's process has below that actor, as its owner is told when somebody looks."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, cast

from actorflow.actors.observer import ActorTree, observe
from actorflow.actors.placement.frames import NotAFrame
from actorflow.actors.placement.passing import Passing
from actorflow_supervisors.tree import ChildState

if TYPE_CHECKING:
    from actorflow.actors.cell import Cell

_NAMES = tuple(field.name for field in fields(ActorTree) if field.name != "process")


def pack_sight(cell: Cell, passing: Passing) -> bytes:
    """The body of what is below `cell` now."""
    below = observe(cell, cell.system.seam.now_s()).children
    return passing.pack([_packed(tree, passing) for tree in below], "what is below an actor")


def read_sight(body: bytes, passing: Passing) -> tuple[ActorTree, ...]:
    """What was packed. Raises DecodeError, NotAFrame."""
    found = cast("list[Any]", passing.read(body))
    try:
        return tuple(_read(row, passing) for row in found)
    except (KeyError, TypeError, ValueError) as error:
        raise NotAFrame(f"not what is below an actor: {error}") from error


def _packed(tree: ActorTree, passing: Passing) -> list[Any]:
    found = {name: getattr(tree, name) for name in _NAMES}
    found["state"] = tree.state.value
    found["last_exit"] = None if tree.last_exit is None else passing.pack_reason(tree.last_exit)
    found["children"] = [_packed(child, passing) for child in tree.children]
    return [found[name] for name in _NAMES]


def _read(row: Any, passing: Passing) -> ActorTree:
    found = dict(zip(_NAMES, row, strict=True))
    found["state"] = ChildState(found["state"])
    found["last_exit"] = None if found["last_exit"] is None else passing.read_reason(found["last_exit"])
    found["children"] = tuple(_read(child, passing) for child in found["children"])
    return ActorTree(**found)
