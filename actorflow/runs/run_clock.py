"""The time of a run: until when it may take, and how long it was paused. Seconds of a monotonic clock."""

from __future__ import annotations


class RunClock:
    """timeout_s: what the run may take from its start to its end, pauses left out; None without limit."""

    def __init__(self, timeout_s: float | None) -> None:
        self.timeout_s = timeout_s
        self._over_s: float | None = None
        self._paused_s: float | None = None

    def begin(self, now_s: float) -> None:
        self._over_s = None if self.timeout_s is None else now_s + self.timeout_s

    def left_s(self, now_s: float) -> float | None:
        """What is left of it; None without limit, and while time does not count."""
        if self._over_s is None or self._paused_s is not None:
            return None
        return max(0.0, self._over_s - now_s)

    def pause(self, now_s: float) -> None:
        """Time does not count from here on; again does nothing."""
        if self._paused_s is None:
            self._paused_s = now_s

    def resume(self, now_s: float) -> float:
        """Time counts again; how long it did not."""
        paused_s = 0.0 if self._paused_s is None else now_s - self._paused_s
        self._paused_s = None
        if self._over_s is not None:
            self._over_s += paused_s
        return paused_s
