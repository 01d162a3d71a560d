"""Links: two actors that share their fate.

| one ends with | the other's incarnation ends with  |
|---------------|------------------------------------|
| Normal        | it goes on                         |
| Shutdown      | Shutdown                           |
| anything else | Crashed, by LinkedActorEnded       |

The other's restart policy decides whether it comes back; the link is gone in any case. Source: Erlang/OTP links and
exit signals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from actorflow.actors.errors import LinkedActorEnded
from actorflow.actors.monitor import Down
from actorflow_supervisors.exit_reason import Crashed, ExitReason, NoProc, Normal, Shutdown, describe, is_abnormal

if TYPE_CHECKING:
    from actorflow.actors.cell import Cell


class LinkEnd:
    """One actor's end of a link: it watches the other."""

    __slots__ = ("_other", "_own")

    def __init__(self, own: Cell, other: Cell) -> None:
        self._own = own
        self._other = other

    def notify(self, down: Down) -> None:
        self._forget()
        if not isinstance(down.reason, Normal):
            self._own.end_now(_passed_on(down.ref.path, down.reason))

    def cancel(self) -> None:
        self._other.drop_monitor(self)
        self._forget()

    def _forget(self) -> None:
        if self._own.holdings is not None:
            self._own.holdings.monitors.pop(self, None)


class Link:
    """A link between two actors, until either's incarnation ends."""

    __slots__ = ("_ends",)

    def __init__(self, one: Cell, other: Cell) -> None:
        self._ends = (LinkEnd(one, other), LinkEnd(other, one))
        for end, own, watched in ((self._ends[0], one, other), (self._ends[1], other, one)):
            if own.ended:
                continue
            own.held().monitors[end] = None
            if not watched.add_monitor(end):
                end.notify(Down(watched.ref, NoProc(), watched.incarnation))

    def cancel(self) -> None:
        """Both go their own ways."""
        for end in self._ends:
            end.cancel()


def _passed_on(path: str, reason: ExitReason) -> ExitReason:
    """The table of the module's docstring."""
    if isinstance(reason, Shutdown) and not is_abnormal(reason):
        return Shutdown(f"linked actor {path!r} was stopped")
    return Crashed(LinkedActorEnded(path, describe(reason)))
