"""Names: which running actor is called what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actorflow.actors.errors import NameTaken

if TYPE_CHECKING:
    from actorflow.actors.cell import Cell


class Names:
    """The names of one system. A name belongs to its actor over all restarts, and is free before its last Down."""

    def __init__(self) -> None:
        self._cells: dict[str, Cell] = {}

    def take(self, name: str, cell: Cell) -> None:
        """Give `name` to `cell`. Raises NameTaken."""
        if name in self._cells:
            raise NameTaken(name)
        self._cells[name] = cell

    def free(self, cell: Cell) -> None:
        """Take back the name of `cell`, if it has one."""
        path = cell.named
        if path is not None and self._cells.get(path) is cell:
            del self._cells[path]

    def find(self, name: str) -> Cell | None:
        return self._cells.get(name)
