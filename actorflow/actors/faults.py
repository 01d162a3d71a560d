"""Faults: what becomes of a message whose handler raised.

| the error is                                  | the asker gets          | the actor      | the message             |
|-----------------------------------------------|-------------------------|----------------|-------------------------|
| none: it was set aside by `stash()`           | nothing yet             | goes on        | in the stash            |
| for a handler that the class lacks            | UnknownHandler          | goes on        | dead letter             |
| over arguments that do not fit                | MessageRefused          | goes on        | dead letter             |
| declared, `raises=`                           | the error itself        | goes on        | handled                 |
| any other, `redeliver=` allows once more      | nothing yet             | crashes        | back at the head        |
| any other, the system's `quarantine_after`-th | ActorCrashed            | crashes, free  | dead letter, quarantined|
| any other                                     | ActorCrashed            | crashes        | lost; told: dead letter |

"Free": the crashes over a quarantined message cost none of the restart budget.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from actorflow.actors.boundary import ArgumentsRefusedError
from actorflow.actors.dead_letters import DeadLetterReason
from actorflow.actors.dispatch import is_binding_error, leaf_of
from actorflow.actors.envelope import Ask, DownNotice, Retold, Tell, handler_name
from actorflow.actors.errors import ActorCrashed, MessageRefused, UnknownHandler
from actorflow.actors.stash import SetAside, keep

if TYPE_CHECKING:
    from actorflow.actors.cell import Cell


def settle_answer(cell: Cell, error: Exception) -> bool:
    """The first four rows, for the message in hand; False if `error` belongs to the others."""
    message = cell.current
    if message is None or isinstance(message, DownNotice):
        return False
    if isinstance(leaf_of(error), SetAside) and not cell.inbox.closed:
        keep(cell, message)
        return True
    handlers = cell.table.handlers
    found = handlers.get(handler_name(message))
    answer: BaseException
    reason: DeadLetterReason | None = None
    if found is None and isinstance(error, KeyError):
        answer = UnknownHandler(cell.path, handler_name(message), tuple(handlers))
        reason = DeadLetterReason.unknown_handler
    elif is_binding_error(error) or isinstance(error, ArgumentsRefusedError):
        answer = MessageRefused(f"arguments do not fit {handler_name(message)} of {cell.path!r}: {error}")
        reason = DeadLetterReason.bad_arguments
    elif found is not None and found.raises and isinstance(leaf_of(error), found.raises):
        answer = leaf_of(error)
    else:
        return False
    if reason is not None:
        cell.dead_letter(message, reason, (error,))
    if isinstance(message, Ask):
        message.fail(answer)
    return True


def settle_crash(cell: Cell, message: Tell | Ask | Retold, error: BaseException) -> None:
    """The last three rows, for the message that was in hand."""
    earlier = () if isinstance(message, tuple) else message.crashes
    crashes = (*earlier, error)
    name = handler_name(message)
    if len(crashes) >= cell.system.quarantine_after:
        cell.refund_restart(len(earlier))
        cell.held().forgiven = True
        cell.dead_letter(message, DeadLetterReason.quarantined, crashes)
    elif len(crashes) <= cell.table.handlers[name].redeliver and cell.stop_reason is None:
        again = Retold(message, crashes) if isinstance(message, tuple) else message
        again.crashes = crashes
        cell.inbox.items.appendleft(again)
        return
    elif not isinstance(message, Ask):
        cell.dead_letter(message, DeadLetterReason.crashed, crashes)
    if isinstance(message, Ask):
        message.fail(ActorCrashed(cell.path, name, error))
