"""Numbers as words a person reads at a glance: durations, sizes, counts, times of day."""

from __future__ import annotations

import time

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def duration(seconds: float) -> str:
    """`<1ms`, `30ms`, `2.1s`, `34s`, `1m05s`, `2h03m`, `1d04h`: two figures that matter, never more."""
    seconds = max(seconds, 0.0)
    if seconds < 0.0005:
        return "<1ms"
    if seconds < 0.0995:
        return f"{round(seconds * 1000)}ms"
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86_400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86_400}d{whole % 86_400 // 3600:02d}h"


def size(n_bytes: int) -> str:
    """`412 MiB`, `1.9 GiB`; binary units, as memory quotas are written."""
    amount = float(n_bytes)
    for unit in _UNITS[:-1]:
        if amount < 1023.5:
            return f"{amount:.1f} {unit}" if amount < 9.95 and unit != "B" else f"{amount:.0f} {unit}"
        amount /= 1024
    return f"{amount:.1f} {_UNITS[-1]}"


def number(n: int) -> str:
    """`12,400`."""
    return f"{n:,}"


def plural(n: int, noun: str, plural_noun: str | None = None) -> str:
    """`1 task`, `2 tasks`, `3 retries`."""
    return f"{number(n)} {noun if n == 1 else plural_noun or noun + 's'}"


def clock(epoch_s: float) -> str:
    """`12:00:03`, the local time of day."""
    return time.strftime("%H:%M:%S", time.localtime(epoch_s))


def day_and_clock(epoch_s: float) -> str:
    """`2026-11-20 12:00:03`, local."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(epoch_s))


def shorten(text: str, width: int) -> str:
    """The first line of `text`, cut to `width` characters with `...` where something is missing."""
    first, _, rest = text.partition("\n")
    if len(first) <= width and not rest:
        return first
    return f"{first[: max(width - 3, 0)].rstrip()}..."


def listed(names: list[str], *, at_most: int = 3) -> str:
    """`a, b, c and 4 more`."""
    shown = ", ".join(names[:at_most])
    left = len(names) - at_most
    return shown if left <= 0 else f"{shown} and {number(left)} more"


def attempt_words(attempt: int, allowed: int | None) -> str:
    """`attempt 2 of 3`; without the bound where the restart of a lost worker, another budget, went past it."""
    return f"attempt {attempt} of {allowed}" if allowed is not None and attempt <= allowed else f"attempt {attempt}"
