"""Tree view: the actors of a system for people, as lines of text or drawn by rich."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from actorflow.actors.observer import ActorTree, PlainTree

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

HEADINGS: Final = ("ACTOR", "STATE", "MAILBOX", "HANDLED", "RESTARTS", "AGE", "AT WORK ON", "LAST EXIT")
RIGHT: Final = frozenset({"MAILBOX", "HANDLED", "RESTARTS", "AGE"})
SHRINK: Final = frozenset({"ACTOR", "LAST EXIT"})
"""What gives way first in a narrow terminal."""
MAX_SIBLINGS: Final = 50
"""Of more children of one actor only so many are shown, and the rest are counted."""
MAX_EXIT_CHARS: Final = 60

_STYLES: Final = {"running": "", "backoff": "yellow", "abandoned": "bold red", "stopped": "dim"}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the view. guide: what connects it with its parent. cells: under all headings but the first."""

    guide: str
    name: str
    state: str
    cells: tuple[str, ...]

    @property
    def all_cells(self) -> tuple[str, ...]:
        return (self.guide + self.name, self.state, *self.cells)


def rows_of(trees: Iterable[PlainTree]) -> list[Row]:
    """A row for each actor, parents before their children."""
    return [row for tree in trees for row in _rows(tree, "", "", "")]


def text_lines(trees: Iterable[PlainTree]) -> list[str]:
    """The view without colour; headings first."""
    table = [HEADINGS, *[row.all_cells for row in rows_of(trees)]]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [_text_line(cells, widths) for cells in table]


def rich_table(trees: Iterable[PlainTree]) -> Table:
    """The view as rich draws it."""
    from rich.table import Table
    from rich.text import Text

    def cell(text: str, style: str = "") -> Text:
        return Text(text, style, no_wrap=True, overflow="ellipsis")

    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in HEADINGS:
        # rich narrows columns that may wrap before all others; the cells themselves do not wrap.
        justify: Literal["left", "right"] = "right" if heading in RIGHT else "left"
        table.add_column(cell(heading), justify=justify, no_wrap=heading not in SHRINK)
    for row in rows_of(trees):
        name = cell(row.guide, "dim")
        name.append(row.name, "" if row.guide else "bold")
        table.add_row(name, cell(row.state, _STYLES.get(row.state, "cyan")), *map(cell, row.cells))
    return table


def print_tree(trees: Sequence[ActorTree], *, console: Console | None = None) -> None:
    """Print `system.tree()`, in colour where stdout, or what `console` writes to, is a terminal."""
    from rich.console import Console as StdoutConsole

    (console or StdoutConsole()).print(rich_table([tree.to_json() for tree in trees]))


def age(seconds: float) -> str:
    """`4s`, `3m 12s`, `5h 02m`, `3d 04h`."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h {whole % 3600 // 60:02}m"
    return f"{whole // 86400}d {whole % 86400 // 3600:02}h"


def _rows(tree: PlainTree, above: str, guide: str, below: str) -> Iterator[Row]:
    """below: what stands before the children's own guides."""
    path = str(tree["path"])
    name = _printable(path.removeprefix(above)) + _process(tree.get("process"))
    yield Row(guide, name, str(tree["state"]), _cells(tree))
    children: Sequence[PlainTree] = tree["children"]
    shown, left = children[:MAX_SIBLINGS], len(children) - MAX_SIBLINGS
    for number, child in enumerate(shown, start=1):
        last = number == len(children)
        yield from _rows(child, f"{path}/", below + ("└─ " if last else "├─ "), below + ("   " if last else "│  "))
    if left > 0:
        yield Row(f"{below}└─ ", f"{left:,} more", "", ("",) * (len(HEADINGS) - 2))


def _cells(tree: PlainTree) -> tuple[str, ...]:
    exit_text = _printable(tree["last_exit"] or "")
    return (
        f"{tree['queued_messages']:,}/{tree['capacity']:,}",
        f"{tree['handled_messages']:,}",
        f"{tree['restarts']:,}",
        age(tree["age_s"]),
        _printable(tree["current_handler"] or ""),
        exit_text if len(exit_text) <= MAX_EXIT_CHARS else f"{exit_text[: MAX_EXIT_CHARS - 1]}…",
    )


def _process(process: Mapping[str, int] | None) -> str:
    """` (pid 4711, 33 MiB)`; nothing for an actor that has no process of its own."""
    if process is None:
        return ""
    held = f", {process['rss_bytes'] / (1 << 20):,.0f} MiB" if process["rss_bytes"] else ""
    return f" (pid {process['pid']}{held})"


def _printable(text: str) -> str:
    """Names and errors are others' text: on a terminal their control characters would be commands."""
    return "".join(char if char.isprintable() else "·" for char in text)


def _text_line(cells: Sequence[str], widths: Sequence[int]) -> str:
    texts = [
        cell.rjust(width) if heading in RIGHT else cell.ljust(width)
        for heading, cell, width in zip(HEADINGS, cells, widths, strict=True)
    ]
    return "  ".join(texts).rstrip()
