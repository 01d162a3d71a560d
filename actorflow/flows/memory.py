"""Memory: the quota of an attempt, and how it grows after attempts that ran out of it.

| written | after n attempts that ran out, the next one has |
|---|---|
| `"1GiB"`, `Memory("1GiB")` | 1 GiB |
| `"1GiB * attempt"` | (n + 1) GiB |
| `Memory("1GiB", growth=2.0)` | 1 GiB * 2.0 ** n |
| `Memory("1GiB", growth=2.0, max="6GiB")` | the same, at most 6 GiB |

Only an attempt that ran out of memory makes the next quota larger: one that failed otherwise had enough.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from actorflow.flows.graph import MemoryGrowth, Step
from actorflow.flows.misread import Misread
from actorflow.flows.sizes import Size, format_size, size_bytes

DEFAULT_MEMORY_RESTARTS = 1
"""After an attempt that ran out, where the quota of the next one is larger."""

_MOST_BYTES = 2**63 - 1
_GROWING = re.compile(r"(?P<size>.*\S)\s*\*\s*attempt|attempt\s*\*\s*(?P<size_after>.*\S)")
_HOW = 'write "1GiB", "1GiB * attempt" or Memory("1GiB", growth=2.0, max="8GiB")'


@dataclass(frozen=True, slots=True)
class Memory:
    """A memory quota that grows: `growth` times larger after each attempt that ran out of it, up to `max`.

    A wrong value is told when the task's pipeline is loaded, with its place in the file.
    """

    size: Size
    growth: float = 1.0
    max: Size | None = None


def read_quota(memory: Size | Memory) -> tuple[int, MemoryGrowth | None]:
    """The quota of a first attempt in bytes, > 0, and how it grows; raises ValueError that says what would be right."""
    if isinstance(memory, Memory):
        return _read_growing(memory)
    growing = _GROWING.fullmatch(memory.strip()) if isinstance(memory, str) else None
    if growing is not None:
        return _above_zero(growing["size"] or growing["size_after"]), MemoryGrowth()
    if isinstance(memory, str) and ("*" in memory or "attempt" in memory):
        raise Misread(f"{memory!r} is no size", _HOW)
    return _above_zero(memory), None


def quota_bytes(step: Step, ran_out: int) -> int | None:
    """The quota of an attempt of `step` after `ran_out` others of the same instance ran out; None without one."""
    base, growth = step.memory_bytes, step.memory_growth
    if base is None or growth is None or not ran_out:
        return base
    grown = base * (ran_out + 1) if growth.factor is None else _multiplied(base, growth.factor, ran_out)
    return grown if growth.max_bytes is None else min(grown, growth.max_bytes)


def memory_restarts(step: Step) -> int:
    """How often an instance of `step` is started again after it ran out of memory."""
    asked = step.retry.memory_restarts
    if asked is not None:
        return asked
    return DEFAULT_MEMORY_RESTARTS if step.memory_growth is not None else 0


def largest_quota_bytes(step: Step) -> int | None:
    """The most that an attempt of `step` may come to have; None without a quota."""
    return quota_bytes(step, memory_restarts(step))


def quota_text(step: Step) -> str:
    """`1GiB`, `1GiB * attempt`, `1GiB * 2 each time, at most 8GiB`: the quota as a person reads it."""
    growth = step.memory_growth
    base = format_size(step.memory_bytes or 0)
    if growth is None:
        return base
    most = "" if growth.max_bytes is None else f", at most {format_size(growth.max_bytes)}"
    return f"{base} * attempt{most}" if growth.factor is None else f"{base} * {growth.factor:g} each time{most}"


def _read_growing(memory: Memory) -> tuple[int, MemoryGrowth | None]:
    base = _above_zero(memory.size)
    if isinstance(memory.growth, bool) or not isinstance(memory.growth, int | float):  # pyright: ignore[reportUnnecessaryIsInstance] - a caller may have no type checker
        raise ValueError(f"growth is a number of 1 or more, not {memory.growth!r}")  # noqa: TRY004 - one error for every wrong option
    if not 1 <= memory.growth < math.inf:
        raise ValueError(f"growth is a number of 1 or more, not {memory.growth!r}")
    most = None if memory.max is None else _above_zero(memory.max)
    if most is not None and most < base:
        raise ValueError(f"max must be at least the first quota, not {memory.max!r} with {memory.size!r}")
    return base, MemoryGrowth(float(memory.growth), most) if memory.growth > 1 else None


def _multiplied(base: int, factor: float, times: int) -> int:
    try:
        return min(int(base * factor**times), _MOST_BYTES)
    except OverflowError:
        return _MOST_BYTES


def _above_zero(size: Size) -> int:
    found = size_bytes(size)
    if found == 0:
        raise ValueError("it must be more than 0; leave it out for no limit")
    return found
