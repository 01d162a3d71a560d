"""Backoff: how long to wait before the n-th restart in a row.

With `base_s=0.1, factor=2, cap_s=1, jitter=0` (`immediate_first` as given):

| restart | exponential, immediate_first | exponential | linear | fixed |
|---------|------------------------------|-------------|--------|-------|
| 1       | 0                            | 0.1         | 0.1    | 0.1   |
| 2       | 0.1                          | 0.2         | 0.2    | 0.1   |
| 3       | 0.2                          | 0.4         | 0.3    | 0.1   |
| 4       | 0.4                          | 0.8         | 0.4    | 0.1   |
| 5       | 0.8                          | 1 (cap)     | 0.5    | 0.1   |

`jitter` is the share of the delay that is random: 0 none, 1 all of it (full jitter: uniform from 0 to the delay).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, assert_never

if TYPE_CHECKING:
    from random import Random

BackoffShape: TypeAlias = Literal["exponential", "linear", "fixed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """The delays between restarts in a row.

    base_s: > 0, the first delay that is not immediate. cap_s: >= base_s, no delay is longer.
    factor: >= 1, growth of the exponential shape. jitter: 0 to 1, the share of a delay that is random.
    reset_after_s: a child that ran this long counts as healthy, and its next restart as the first.
    immediate_first: the first restart waits for nothing.
    """

    base_s: float = 0.1
    cap_s: float = 30.0
    factor: float = 2.0
    jitter: float = 1.0
    reset_after_s: float = 60.0
    immediate_first: bool = True
    shape: BackoffShape = "exponential"

    def __post_init__(self) -> None:
        if not 0 < self.base_s <= self.cap_s:
            raise ValueError(f"base_s must be more than 0 and at most cap_s, not {self.base_s} with cap_s={self.cap_s}")
        if not self.factor >= 1:
            raise ValueError(f"factor must be 1 or more, not {self.factor}")
        if not 0 <= self.jitter <= 1:
            raise ValueError(f"jitter is a share from 0 to 1, not {self.jitter}")
        if not self.reset_after_s > 0:
            raise ValueError(f"reset_after_s must be more than 0, not {self.reset_after_s}")
        if self.shape not in ("exponential", "linear", "fixed"):
            raise ValueError(f"shape is exponential, linear or fixed, not {self.shape!r}")

    def delay_s(self, restart_number: int, rng: Random) -> float:
        """Seconds to wait before restart `restart_number` (from 1) in a row; `rng` gives the random part."""
        if restart_number < 1:
            raise ValueError(f"restart_number counts from 1, not {restart_number}")
        step = restart_number - 1 if self.immediate_first else restart_number
        if step == 0:
            return 0.0
        whole_s = self._whole_delay_s(step)
        return whole_s * (1.0 - self.jitter) + whole_s * self.jitter * rng.random()

    def next_restart_number(self, restart_number: int, ran_s: float) -> int:
        """The number of the restart after `restart_number` (0: none yet), when the child ran for `ran_s` in between."""
        return 1 if ran_s >= self.reset_after_s else restart_number + 1

    def _whole_delay_s(self, step: int) -> float:
        match self.shape:
            case "fixed":
                return self.base_s
            case "linear":
                return min(self.cap_s, self.base_s * step)
            case "exponential":
                # Compared as logarithms: factor ** step overflows for a child that fails for days.
                if (step - 1) * math.log(self.factor) >= math.log(self.cap_s / self.base_s):
                    return self.cap_s
                return min(self.cap_s, self.base_s * self.factor ** (step - 1))
            case _:
                assert_never(self.shape)
