"""Observer: the actors of a system at one moment, as a frozen value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast

import anyio

from actorflow.actors.envelope import handler_name
from actorflow.actors.stash import stashed
from actorflow_supervisors.exit_reason import ExitReason, describe
from actorflow_supervisors.tree import ChildState

if TYPE_CHECKING:
    from actorflow.actors.cell import Cell

PlainTree = Mapping[str, Any]
"""An `ActorTree` as what JSON has, its fields by name, `last_exit` in words. Any: strings, numbers, None, a list."""


LOOK_S = 1.0
"""Seconds that a look waits for the processes of placed actors."""


@dataclass(frozen=True, slots=True)
class PlacedProcess:
    """The process of a placed actor. rss_bytes: of it and all it has started, when last measured; 0 for not yet."""

    pid: int
    rss_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a placed actor's owner knows of its process. told: set once it has said what is below, after this look."""

    process: PlacedProcess
    current_handler: str | None
    children: tuple[ActorTree, ...]
    told: anyio.Event


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorTree:
    """One actor and those below it.

    path: its name below those of its parents. actor: the name of its class. incarnation: from 1; 0 before the first.
    restarts: how often it was restarted. last_exit: why its last incarnation ended, None if none has. queued_messages:
    waiting in its mailbox, of `capacity`, for room in it, and in its stash. handled_messages: since it was spawned,
    counted in batches. age_s: of this incarnation. current_handler: what it is at work for, or None. process: of a
    placed actor, while that has one; its children there are those that were there when it was last looked at.
    """

    path: str
    actor: str
    state: ChildState
    incarnation: int
    restarts: int
    last_exit: ExitReason | None
    queued_messages: int
    capacity: int
    handled_messages: int
    age_s: float
    current_handler: str | None
    children: tuple[ActorTree, ...] = ()
    process: PlacedProcess | None = None

    def to_json(self) -> PlainTree:
        """The tree as plain data."""
        return {
            "path": self.path,
            "actor": self.actor,
            "state": self.state.value,
            "incarnation": self.incarnation,
            "restarts": self.restarts,
            "last_exit": None if self.last_exit is None else describe(self.last_exit),
            "queued_messages": self.queued_messages,
            "capacity": self.capacity,
            "handled_messages": self.handled_messages,
            "age_s": self.age_s,
            "current_handler": self.current_handler,
            "process": None if self.process is None else asdict(self.process),
            "children": [child.to_json() for child in self.children],
        }


def observe(cell: Cell, now_s: float) -> ActorTree:
    """What `cell` and those below it look like at `now_s` of the loop's clock."""
    below = () if cell.children is None else cell.children.children
    view = cell.look()
    at_work = None if cell.current is None else handler_name(cell.current)
    return ActorTree(
        path=cell.path,
        actor=cell.actor_name,
        state=cell.state,
        incarnation=cell.incarnation,
        restarts=cell.restarts,
        last_exit=cell.last_exit,
        queued_messages=len(cell.inbox.items) + len(cell.inbox.waiting or ()) + len(stashed(cell)),
        capacity=cell.inbox.settings.capacity,
        handled_messages=cell.handled,
        age_s=cell.age_s(now_s),
        current_handler=at_work if view is None else view.current_handler,
        children=tuple(observe(cast("Cell", child), now_s) for child in below) if view is None else view.children,
        process=None if view is None else view.process,
    )


async def processes_told(cells: Iterable[Cell]) -> None:
    """Return once the processes of all placed actors among these, and below them, have told what they have."""
    with anyio.move_on_after(LOOK_S):
        for told in [view.told for cell in _all_below(cells) if (view := cell.look()) is not None]:
            await told.wait()


def _all_below(cells: Iterable[Cell]) -> Iterator[Cell]:
    for cell in cells:
        yield cell
        if cell.children is not None:
            yield from _all_below(cast("tuple[Cell, ...]", cell.children.children))
