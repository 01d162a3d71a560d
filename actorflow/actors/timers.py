"""Timers: messages an actor sends itself later, which die with the incarnation that set them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec

from actorflow.actors.envelope import Tick
from actorflow.actors.handler import Handler, name_of

if TYPE_CHECKING:
    from actorflow.actors.cell import Cell
    from actorflow_supervisors.loop import Timer as LoopTimer

P = ParamSpec("P")


class Timer:
    """One timer. A tick that lies in the mailbox is not repeated, so a slow actor falls behind but never floods."""

    __slots__ = ("_cell", "_period_s", "_tick", "_timer")

    def __init__(self, cell: Cell, tick: Tick, delay_s: float, period_s: float | None) -> None:
        self._cell = cell
        self._tick = tick
        self._period_s = period_s
        self._timer: LoopTimer | None = None
        self._arm(delay_s)

    @property
    def active(self) -> bool:
        """True while it may still fire."""
        return self._timer is not None

    def cancel(self) -> None:
        """Fire no more; a tick that is already in the mailbox is void too."""
        self._tick.incarnation = -1
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._forget()

    def _fire(self) -> None:
        self._timer = None
        if not self._tick.queued and not self._cell.inbox.closed:
            self._tick.queued = True
            self._cell.inbox.put(self._tick)
        if self._period_s is None:
            self._forget()
        else:
            self._arm(self._period_s)

    def _arm(self, delay_s: float) -> None:
        seam = self._cell.system.seam
        self._timer = seam.call_at(seam.now_s() + delay_s, self._fire)

    def _forget(self) -> None:
        if self._cell.holdings is not None:
            self._cell.holdings.timers.pop(self, None)


class Timers:
    """`self.context.timers`."""

    __slots__ = ("_cell",)

    def __init__(self, cell: Cell) -> None:
        self._cell = cell

    def after(self, delay_s: float, method: Handler[Any, P, Any], /, *args: P.args, **kwargs: P.kwargs) -> Timer:
        """Tell this actor `method` once, `delay_s` seconds from now."""
        return self._start(delay_s, None, name_of(method), args, kwargs)

    def every(self, period_s: float, method: Handler[Any, P, Any], /, *args: P.args, **kwargs: P.kwargs) -> Timer:
        """Tell this actor `method` every `period_s` (> 0) seconds, first after one period."""
        if not period_s > 0:
            raise ValueError(f"period_s must be more than 0, not {period_s}")
        return self._start(period_s, period_s, name_of(method), args, kwargs)

    def _start(
        self, delay_s: float, period_s: float | None, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Timer:
        tick = Tick(name, args, kwargs, self._cell.incarnation)
        timer = Timer(self._cell, tick, delay_s, period_s)
        self._cell.held().timers[timer] = None
        return timer
