"""Stop bound: when a whole tree has to have stopped, shared by all its supervisors."""

from __future__ import annotations

import math
from collections.abc import Callable

from actorflow_supervisors.seam import Seam


class StopBound:
    """The time at which what has not ended is abandoned, whatever its grace.

    total_s: counted from `begin`, the moment the root is asked to stop; None for no bound.
    at_s: that time, on the loop's clock; inf before `begin`, and where there is no bound.
    """

    __slots__ = ("_hurry", "at_s", "total_s")

    def __init__(self, total_s: float | None = None) -> None:
        if total_s is not None and not total_s >= 0:
            raise ValueError(f"shutdown_s must be 0 or more, or None, not {total_s}")
        self.total_s = total_s
        self.at_s = math.inf
        self._hurry: dict[Callable[[], None], None] = {}

    def begin(self, seam: Seam) -> None:
        """The root was asked to stop; only the first call counts."""
        if self.total_s is not None and self.at_s == math.inf:
            self.at_s = seam.now_s() + self.total_s

    def kill(self, seam: Seam) -> None:
        """The time is now."""
        self.at_s = min(self.at_s, seam.now_s())
        for hurry in tuple(self._hurry):
            hurry()

    def on_kill(self, hurry: Callable[[], None]) -> Callable[[], None]:
        """Have `hurry` called by `kill`; returns how to end that."""
        self._hurry[hurry] = None
        return lambda: self._hurry.pop(hurry, None)

    def shrunk(self, grace_s: float | None, now_s: float) -> float | None:
        """What is left of `grace_s` for one that is asked to stop at `now_s`."""
        left_s = max(0.0, self.at_s - now_s)
        if left_s == math.inf:
            return grace_s
        return left_s if grace_s is None else min(grace_s, left_s)
