"""Durations: `"200ms"`, `"1h30m"`, seconds or a timedelta become seconds as a float, everywhere alike."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import TypeAlias

from actorflow.flows.misread import Misread

Duration: TypeAlias = str | int | float | timedelta

UNITS_S = {
    "w": 7 * 24 * 3600.0,
    "d": 24 * 3600.0,
    "h": 3600.0,
    "m": 60.0,
    "s": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|us|w|d|h|m|s)")
_HOW = 'write "200ms", "30s", "5m" or "1h30m", a number of seconds, or a timedelta'


def seconds(duration: Duration) -> float:
    """The seconds of `duration`, finite and >= 0.

    A string is one or more whole or decimal numbers with a unit (w d h m s ms us), the larger unit first, each once.
    Raises Misread, a ValueError that says what would be right.
    """
    if isinstance(duration, timedelta):
        return _checked(duration.total_seconds(), duration)
    if isinstance(duration, str):
        return _checked(_parsed(duration), duration)
    return _checked(_number(duration), duration)


def format_duration(duration_s: float) -> str:
    """`duration_s` in the way a person writes it, such as `1h30m`; `seconds` reads it back to the microsecond."""
    left_us = round(duration_s * 1e6)
    parts: list[str] = []
    for unit in ("w", "d", "h", "m"):
        count, left_us = divmod(left_us, round(UNITS_S[unit] * 1e6))
        if count:
            parts.append(f"{count}{unit}")
    if left_us >= 1_000_000:
        parts.append(f"{left_us / 1e6:.6f}".rstrip("0").rstrip(".") + "s")
    elif left_us:
        parts.append(f"{left_us}us" if left_us % 1000 else f"{left_us // 1000}ms")
    return "".join(parts) or "0s"


def _parsed(text: str) -> float:
    compact = text.replace(" ", "")
    parts = _PART.findall(compact)
    if not parts or "".join(number + unit for number, unit in parts) != compact:
        trouble = "has no unit" if re.fullmatch(r"\d+(\.\d+)?", compact) else "is no duration"
        raise Misread(f"{text!r} {trouble}", _HOW)
    order = [list(UNITS_S).index(unit) for _, unit in parts]
    if order != sorted(set(order)):
        raise Misread(f"{text!r} is no duration: each unit once, the larger first", _HOW)
    return math.fsum(float(number) * UNITS_S[unit] for number, unit in parts)


def _number(value: object) -> float:
    """nan for what is no number: a caller may have no type checker."""
    try:
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    except OverflowError:
        return math.inf


def _checked(value_s: float, given: object) -> float:
    if not math.isfinite(value_s) or value_s < 0:
        raise Misread(f"a duration is a finite number of seconds, not negative, unlike {given!r}", _HOW)
    return value_s
