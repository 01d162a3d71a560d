"""Admission: what becomes of a message that cannot simply be appended to a mailbox.

| mailbox                     | tell                     | try_tell              | ask                          |
|-----------------------------|--------------------------|-----------------------|------------------------------|
| closed                      | dead letter              | dead letter, False    | dead letter, ActorNotRunning |
| has room                    | appended                 | appended, True        | appended                     |
| full, overflow wait         | waits                    | False                 | waits                        |
| its own, full, overflow wait| MailboxFull              | False                 | (AskCycle, before)           |
| full, overflow drop_newest  | dead letter              | dead letter, False    | dead letter, MailboxFull     |
| full, overflow drop_oldest  | appended, the oldest is a dead letter and its asker gets MailboxFull      | | |
| full, overflow fail         | MailboxFull              | False                 | MailboxFull                  |
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from actorflow.actors import stash
from actorflow.actors.dead_letters import DeadLetterReason
from actorflow.actors.envelope import Ask, Message, Tell
from actorflow.actors.errors import SLOW_THE_SENDERS, ActorNotRunning, MailboxFull
from actorflow.actors.mailbox import Overflow

if TYPE_CHECKING:
    from actorflow.actors.cell import Cell


SENDS_TO_ITSELF = "the actor sends to itself, so no room could ever come; use try_tell, or raise its capacity"


class Admitted(Enum):
    """What a mailbox said to one message without waiting."""

    yes = "yes"
    closed = "closed"
    dropped = "dropped"
    full = "full"


async def admit_tell(cell: Cell, message: Tell) -> None:
    """The column `tell`."""
    if cell.system.boundary is not None:
        message = cell.system.boundary.tell(cell, message)
    admitted = admit(cell, message)
    if admitted is Admitted.full:
        if cell.inbox.settings.overflow is Overflow.fail:
            raise full_error(cell)
        if cell.in_own_task():
            raise full_error(cell, SENDS_TO_ITSELF)
        await wait_for_room(cell, message)
    elif admitted is Admitted.dropped:
        # Otherwise a producer that never finds room would never let the consumer run.
        await cell.system.checkpoint()


def admit_nowait(cell: Cell, message: Tell) -> bool:
    """The column `try_tell`."""
    if cell.system.boundary is not None:
        message = cell.system.boundary.tell(cell, message)
    return admit(cell, message) is Admitted.yes


async def admit_ask(cell: Cell, ask: Ask) -> None:
    """The column `ask`."""
    if cell.system.boundary is not None:
        cell.system.boundary.ask(cell, ask)
    match admit(cell, ask):
        case Admitted.yes:
            return
        case Admitted.closed:
            raise ActorNotRunning(cell.path, "is stopping" if not cell.ended else "is not running")
        case Admitted.dropped:
            raise full_error(cell)
        case Admitted.full:
            if cell.inbox.settings.overflow is Overflow.fail:
                raise full_error(cell)
            await wait_for_room(cell, ask)


def admit(cell: Cell, message: Message) -> Admitted:
    """The table of the module's docstring, but for the waiting."""
    inbox = cell.inbox
    if inbox.closed:
        cell.dead_letter(message, DeadLetterReason.not_running if cell.ended else DeadLetterReason.stopping)
        return Admitted.closed
    if inbox.has_room:
        inbox.put(message)
        return Admitted.yes
    match inbox.settings.overflow:
        case Overflow.wait | Overflow.fail:
            return Admitted.full
        case Overflow.drop_newest:
            cell.dead_letter(message, DeadLetterReason.dropped_newest)
            return Admitted.dropped
        case Overflow.drop_oldest:
            _drop_oldest(cell)
            inbox.put(message)
            return Admitted.yes


def _drop_oldest(cell: Cell) -> None:
    oldest = cell.inbox.drop_oldest()
    if oldest is None:
        return
    cell.dead_letter(oldest, DeadLetterReason.dropped_oldest)
    if isinstance(oldest, Ask):
        oldest.fail(full_error(cell))


async def wait_for_room(cell: Cell, message: Message) -> None:
    """Return once `message` lies in the mailbox, or the mailbox was closed and has dealt with it."""
    entry = cell.inbox.wait_for_room(message, cell.system.new_slot())
    try:
        await entry.slot
    except cell.system.cancelled:
        cell.inbox.leave(entry)
        raise


def full_error(cell: Cell, help: str = SLOW_THE_SENDERS) -> MailboxFull:
    """The error that names the mailbox, its bound and the way out."""
    settings = cell.inbox.settings
    return MailboxFull(cell.path, settings.capacity, settings.overflow, help)


def close(cell: Cell) -> None:
    """Refuse all messages from now on; each one left is a dead letter, and its asker gets ActorNotRunning."""
    for message in (*stash.take(cell), *cell.inbox.close()):
        if isinstance(message, Ask):
            message.fail(ActorNotRunning(cell.path, "stopped before it handled the message"))
        if isinstance(message, tuple | Ask):
            cell.dead_letter(message, DeadLetterReason.stopping)
