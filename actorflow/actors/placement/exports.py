"""Exports: which actors of a system other processes may call, and under which key."""

from __future__ import annotations

import uuid
from itertools import count
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from actorflow.actors.monitor import Down

if TYPE_CHECKING:
    from actorflow.actors.cell import Cell
    from actorflow.actors.system import ActorSystem


class Exports:
    """The actors of one system that other processes may call, by key, for as long as they live."""

    def __init__(self) -> None:
        self.node = uuid.uuid4().hex
        self._cells: dict[int, Cell] = {}
        self._keys: dict[Cell, int] = {}
        self._numbers = count(1)

    def key_of(self, cell: Cell) -> int:
        """Under which key `cell` can be called from now on."""
        key = self._keys.get(cell)
        if key is None:
            key = next(self._numbers)
            if cell.add_monitor(_Forgetter(self, cell)):
                self._keys[cell] = key
                self._cells[key] = cell
        return key

    def find(self, key: int) -> Cell | None:
        return self._cells.get(key)

    def forget(self, cell: Cell) -> None:
        """It has ended."""
        key = self._keys.pop(cell, None)
        if key is not None:
            del self._cells[key]


class _Forgetter:
    """The monitor by which an exported actor is forgotten when it has ended for good."""

    __slots__ = ("_cell", "_exports")

    def __init__(self, exports: Exports, cell: Cell) -> None:
        self._exports = exports
        self._cell = cell

    def notify(self, down: Down) -> None:
        if self._cell.inbox.closed or not self._cell.add_monitor(self):
            self._exports.forget(self._cell)

    def cancel(self) -> None:
        """Nobody cancels it."""


_exports: WeakKeyDictionary[ActorSystem, Exports] = WeakKeyDictionary()


def exports_of(system: ActorSystem) -> Exports:
    """One for each system."""
    found = _exports.get(system)
    if found is None:
        found = _exports[system] = Exports()
    return found
