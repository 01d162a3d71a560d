"""Names of runs: `20261121-142501-7f3kq`, which sort by time and are unique without asking anyone."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from typing import Final

_DIGITS: Final = "0123456789abcdefghjkmnpqrstvwxyz"  # sorts as it counts; no letter that reads as another
RUN_ID: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.-]{0,63}")

RUN_ID_HELP: Final = "use up to 64 letters, digits, '-', '_' and '.', the first a letter or digit"


def _random_below(limit: int) -> int:
    """From the system; even for every power of two up to 256."""
    return os.urandom(1)[0] % limit


def new_run_id(*, now: float | None = None, random_below: Callable[[int], int] = _random_below) -> str:
    """A new id: date and time in UTC, two characters for the millisecond, three of chance."""
    now = time.time() if now is None else now
    thousandth = int(now % 1 * 1000)
    tail = [thousandth // 32, thousandth % 32, *(random_below(32) for _ in range(3))]
    return time.strftime("%Y%m%d-%H%M%S-", time.gmtime(now)) + "".join(_DIGITS[digit] for digit in tail)


def check_run_id(run_id: str) -> str:
    """`run_id`, if a file may be named after it; else ValueError."""
    if not RUN_ID.fullmatch(run_id):
        raise ValueError(f"{run_id!r} is no run id; {RUN_ID_HELP}")
    return run_id
