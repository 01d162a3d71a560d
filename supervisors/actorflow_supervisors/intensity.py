"""Restart intensity: may this supervisor restart a child once more?

With `max_restarts=2, max_seconds=5`:

| past restarts at (s) | now (s) | allowed |
|----------------------|---------|---------|
| -                    | 0       | yes     |
| 0                    | 1       | yes     |
| 0, 1                 | 4       | no      |
| 0, 1                 | 5       | no      |
| 0, 1                 | 5.01    | yes     |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RestartIntensity:
    """At most `max_restarts` restarts in any window of `max_seconds`.

    max_restarts: >= 0; 0 stops the supervisor at the first failure.
    max_seconds: > 0, seconds of a monotonic clock.
    Source: Erlang/OTP supervisor `intensity` and `period`; the defaults are Elixir's.
    """

    max_restarts: int = 3
    max_seconds: float = 5.0

    def __post_init__(self) -> None:
        if self.max_restarts < 0:
            raise ValueError(f"max_restarts must be 0 or more, not {self.max_restarts}")
        if not self.max_seconds > 0:
            raise ValueError(f"max_seconds must be more than 0, not {self.max_seconds}")

    def allows(self, restarts_s: Sequence[float], now_s: float) -> bool:
        """True if a restart at `now_s` stays within the limit; `restarts_s` are past restart times."""
        return len(self.recent(restarts_s, now_s)) < self.max_restarts

    def recent(self, restarts_s: Sequence[float], now_s: float) -> list[float]:
        """Those of `restarts_s` that still count at `now_s`; the others may be forgotten."""
        return [at_s for at_s in restarts_s if now_s - at_s <= self.max_seconds]
