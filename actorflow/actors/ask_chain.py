"""Ask chain: which actor waits for which, from the handler at work to whoever it asked; it must not close to a cycle.

A handler waits in its own task, and in tasks of the task groups that it has opened, for any number of asks at once.
Tasks that it started in any other way are not part of it: nothing says that it waits for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING

from actorflow.actors.errors import AskCycle

if TYPE_CHECKING:
    from actorflow.actors.cell import Cell
    from actorflow.actors.envelope import Ask
    from actorflow.actors.system import ActorSystem

in_actor: ContextVar[bool] = ContextVar("actorflow_in_actor", default=False)
"""True in the task of an actor and in all that it started, so that other tasks need not look for their actor."""


def beside(system: ActorSystem) -> Cell | None:
    """The actor whose handler waits for the current task, which is not its own; None if there is none."""
    cells = system.cells
    return next((cells[task] for task in system.seam.hosts() if task in cells), None)


def join(cell: Cell, ask: Ask) -> None:
    """A task of the handler's task groups waits for `ask` from now on. Raises AskCycle."""
    refuse_cycle(cell, ask)
    ask.deadline_s = min(ask.deadline_s, cell.deadline_s)
    if cell.also_waiting_on is None:
        cell.also_waiting_on = {}
    cell.also_waiting_on[ask] = None


def leave(cell: Cell, ask: Ask) -> None:
    """That task waits no more."""
    if cell.also_waiting_on is not None:
        cell.also_waiting_on.pop(ask, None)
        if not cell.also_waiting_on:
            cell.also_waiting_on = None


def refuse_cycle(asker: Cell, ask: Ask) -> None:
    """Raise AskCycle if the target of `ask` is `asker`, or waits for it, itself or through others."""
    path = [asker.path, ask.target.path]
    cell = ask.target
    while cell is not asker:
        if cell.also_waiting_on is not None:
            found = _path_to(asker, cell, {})
            if found is None:
                return
            path += found
            break
        if cell.waiting_on is None:
            return
        cell = cell.waiting_on.target
        path.append(cell.path)
    raise AskCycle(tuple(path))


def _path_to(goal: Cell, start: Cell, seen: dict[Cell, None]) -> list[str] | None:
    """The actors from the one after `start` to `goal`, each waited for by the one before; None if there is no way."""
    seen[start] = None
    for cell in _awaited(start):
        if cell is goal:
            return [cell.path]
        if cell not in seen and (rest := _path_to(goal, cell, seen)) is not None:
            return [cell.path, *rest]
    return None


def _awaited(cell: Cell) -> Iterator[Cell]:
    if cell.waiting_on is not None:
        yield cell.waiting_on.target
    for ask in cell.also_waiting_on or ():
        yield ask.target
