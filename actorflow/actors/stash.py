"""Stash: messages that an actor has set aside unhandled, until it is in a state to handle them.

A message is set aside by an exception that ends its handler, so that the handler's types stay what they are. What is
set aside comes back to the head of the mailbox, in the order in which it came: by `unstash_all`, or with the next
incarnation. It is bounded like the mailbox. Source: Pekko's stash, which is bounded too.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NoReturn

from actorflow.actors.envelope import DownNotice, Message
from actorflow.actors.errors import StashFull

if TYPE_CHECKING:
    from actorflow.actors.cell import Cell


class SetAside(Exception):
    """Leaves a handler whose message is to be set aside."""


def set_aside(cell: Cell) -> NoReturn:
    """End the handler at work. Raises StashFull, or RuntimeError where there is no message in hand."""
    if cell.current is None or isinstance(cell.current, DownNotice):
        raise RuntimeError(f"actor {cell.path!r} has no message in hand to stash; call stash() in a handler")
    if len(stashed(cell)) >= cell.inbox.settings.capacity:
        raise StashFull(cell.path, cell.inbox.settings.capacity)
    raise SetAside


def keep(cell: Cell, message: Message) -> None:
    """The handler of `message` has ended by `SetAside`."""
    holdings = cell.held()
    if holdings.stash is None:
        holdings.stash = deque()
    holdings.stash.append(message)


def put_back(cell: Cell) -> None:
    """Everything comes before what waits in the mailbox."""
    messages = take(cell)
    if messages:
        cell.inbox.items.extendleft(reversed(messages))
        cell.inbox.wake()


def take(cell: Cell) -> tuple[Message, ...]:
    """Empty the stash."""
    messages = stashed(cell)
    if cell.holdings is not None:
        cell.holdings.stash = None
    return messages


def stashed(cell: Cell) -> tuple[Message, ...]:
    """What is set aside, oldest first."""
    stash = None if cell.holdings is None else cell.holdings.stash
    return () if stash is None else tuple(stash)
