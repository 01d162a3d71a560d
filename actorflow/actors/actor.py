"""Actors: plain classes whose handlers are called one message at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actorflow.actors.cell import Cell
    from actorflow.actors.context import Context
    from actorflow.actors.monitor import Down
    from actorflow_supervisors.exit_reason import ExitReason


class Actor:
    """Base of all actors. `__init__` takes configuration only; each incarnation is a new instance.

    The hooks may be left out; each runs in the actor's own task, never beside a handler.
    """

    _actorflow_cell: Cell | None = None
    _actorflow_context: Context | None = None

    @property
    def context(self) -> Context:
        """This actor's place in its system, from `started` on."""
        if self._actorflow_context is not None:
            return self._actorflow_context
        if self._actorflow_cell is None:
            raise RuntimeError(
                f"{type(self).__name__} has no context: it is set after __init__, by the system that spawns the actor; "
                "use it in started() and in handlers"
            )
        self._actorflow_context = self._actorflow_cell.new_context()
        return self._actorflow_context

    async def started(self) -> None:
        """Runs before the first message of each incarnation. Raising fails the start."""

    async def stopping(self, reason: ExitReason) -> None:
        """Runs when this incarnation has ended for `reason`, after its children, within the grace of `shutdown_s`."""

    async def down(self, down: Down) -> None:
        """A monitored actor's incarnation has ended; comes behind every message that was in the mailbox before."""
