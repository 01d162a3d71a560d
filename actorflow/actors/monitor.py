"""Monitors: being told, exactly once, that an incarnation of an actor has ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from actorflow.actors.envelope import DownNotice
from actorflow_supervisors.exit_reason import ExitReason, NoProc

if TYPE_CHECKING:
    from actorflow.actors.cell import Cell
    from actorflow.actors.ref import ActorRef
    from actorflow_supervisors.loop import Slot


@dataclass(frozen=True, slots=True)
class Down:
    """An incarnation of the monitored actor has ended, fully: its name is free or belongs to the next one.

    reason: NoProc if it had ended before it was monitored. incarnation: which one ended, from 1.
    """

    ref: ActorRef[Any]
    reason: ExitReason
    incarnation: int


class Monitor(Protocol):
    """One interest in the end of a cell's present incarnation, or of its next one if it is between two."""

    def notify(self, down: Down) -> None:
        """Pass the news on; called once at most."""

    def cancel(self) -> None:
        """No news from now on, not even news that is already queued."""


class ActorMonitor:
    """The monitor that an actor holds; its news goes through the actor's mailbox, behind what is there already."""

    __slots__ = ("_target", "_watcher", "active")

    def __init__(self, watcher: Cell, target: Cell) -> None:
        self._watcher = watcher
        self._target = target
        self.active = True

    def notify(self, down: Down) -> None:
        if not self._watcher.inbox.closed:
            self._watcher.inbox.put(DownNotice(self, down))

    def cancel(self) -> None:
        self.active = False
        if self._target.parent is self._watcher:
            self._target.watched_by_parent = False
        self._target.drop_monitor(self)
        self._forget()

    def take(self) -> bool:
        """For the watcher, when it handles the news: True if it is still wanted."""
        wanted, self.active = self.active, False
        self._forget()
        return wanted

    def _forget(self) -> None:
        if self._watcher.holdings is not None:
            self._watcher.holdings.monitors.pop(self, None)


def start_monitor(watcher: Cell, target: Cell) -> ActorMonitor:
    """Monitor `target` on behalf of `watcher`; for one that has ended the news, NoProc, is queued at once."""
    monitor = ActorMonitor(watcher, target)
    watcher.held().monitors[monitor] = None
    if target.parent is watcher:
        target.watched_by_parent = True
    if not target.add_monitor(monitor):
        monitor.notify(Down(target.ref, NoProc(), target.incarnation))
    return monitor


class SlotMonitor:
    """The monitor of a program that is no actor: it waits for the news in one place."""

    __slots__ = ("_slot", "_target")

    def __init__(self, slot: Slot, target: Cell) -> None:
        self._slot = slot
        self._target = target

    def notify(self, down: Down) -> None:
        if not self._slot.done():
            self._slot.set_result(down)

    def cancel(self) -> None:
        self._target.drop_monitor(self)
