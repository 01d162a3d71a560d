"""Deferred replies: an ask answered later, from wherever the answer turns up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar, cast

from actorflow.actors.envelope import Ask, Message

if TYPE_CHECKING:
    from actorflow.actors.cell import Cell

R = TypeVar("R")


class Deferred(Generic[R]):
    """The reply that a handler owes; its asker waits until `reply` or `fail`, or until this incarnation ends.

    The handler returns `hold()`, which the type checkers see as its reply:
    `later: Deferred[int] = self.context.defer(); self.waiting.append(later); return later.hold()`.
    """

    __slots__ = ("_ask", "_cell")

    def __init__(self, cell: Cell, message: Message | None) -> None:
        self._cell = cell
        self._ask = message if isinstance(message, Ask) else None
        if self._ask is not None:
            self._ask.deferred = True
            cell.held().debts[self._ask] = None

    @property
    def wanted(self) -> bool:
        """False once the asker has its outcome or has gone, and for a message that was told."""
        return self._ask is not None and not self._ask.slot.done()

    def hold(self) -> R:
        """What the handler returns; it is not the reply."""
        return cast("R", None)

    def reply(self, value: R) -> None:
        """Answer the asker; the first answer counts."""
        if self._ask is not None:
            self._cell.send_reply(self._ask, value)
            self._settle(self._ask)

    def fail(self, error: Exception) -> None:
        """Raise `error` at the asker."""
        if self._ask is not None:
            self._ask.fail(error)
            self._settle(self._ask)

    def _settle(self, ask: Ask) -> None:
        if self._cell.holdings is not None:
            self._cell.holdings.debts.pop(ask, None)
