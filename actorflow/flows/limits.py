"""Limits of a run as a whole: its time, and what the attempts that run at once may take together.

What an attempt counts for, where the run has a limit:

| declared | executor | memory | CPUs |
|---|---|---|---|
| yes | any but inline | its quota | `cpus` |
| no | process | `default_memory` (256 MiB) | 1 |
| no | any other | 0: it shares the memory of the run's own process | 0 |
| any | inline | 0: it runs alone | 0 |

CPUs are limited where `max_cpus` is given, or where a task says `cpus`; then to those that this machine offers.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from actorflow.flows.durations import Duration, seconds
from actorflow.flows.faults import Code, Fault
from actorflow.flows.graph import Graph, Step
from actorflow.flows.memory import largest_quota_bytes, quota_bytes
from actorflow.flows.sizes import Size, format_size, size_bytes

DEFAULT_MEMORY_BYTES = 256 * 1024**2
"""What a process task that declares no memory counts for: an interpreter with a few libraries, and some data."""

_INLINE = "inline"
_PROCESS = "process"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLimits:
    """What a run may take as a whole; None: as its dag says, else no limit.

    timeout: from its start to its end, pauses left out. max_memory: declared memory of the attempts that run at once.
    default_memory: what a task in a process counts for that declares none. max_cpus: the same for CPUs.
    Raises ValueError for what is no duration, no size or no number above 0.
    """

    timeout: Duration | None = None
    max_memory: Size | None = None
    default_memory: Size | None = None
    max_cpus: float | None = None

    def __post_init__(self) -> None:
        self.caps()

    def caps(self) -> Caps:
        """The same as plain numbers."""
        if self.max_cpus is not None and not 0 < self.max_cpus < math.inf:
            raise ValueError(f"max_cpus is a number above 0, not {self.max_cpus!r}")
        return Caps(
            timeout_s=None if self.timeout is None else seconds(self.timeout) or None,
            max_memory_bytes=None if self.max_memory is None else size_bytes(self.max_memory) or None,
            default_memory_bytes=DEFAULT_MEMORY_BYTES
            if self.default_memory is None
            else size_bytes(self.default_memory),
            max_cpus=self.max_cpus,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """The limits of one run as plain numbers; None without limit. cpu_ids: of the CPUs that attempts may be held to."""

    timeout_s: float | None = None
    max_memory_bytes: int | None = None
    default_memory_bytes: int = DEFAULT_MEMORY_BYTES
    max_cpus: float | None = None
    cpu_ids: tuple[int, ...] = ()


NO_LIMITS = RunLimits()
NO_CAPS = Caps()


@dataclass(frozen=True, slots=True)
class Need:
    """What one attempt counts for while it runs."""

    memory_bytes: int = 0
    cpus: float = 0.0

    def __bool__(self) -> bool:
        return bool(self.memory_bytes or self.cpus)


NO_NEED = Need()


def caps_of(graph: Graph, asked: RunLimits, cpu_ids: Sequence[int]) -> Caps:
    """The limits of a run of `graph`: those asked for, else the dag's own. cpu_ids: the CPUs that there are."""
    caps = asked.caps()
    wants_cpus = any(step.cpus is not None for step in graph.steps)
    return replace(
        caps,
        timeout_s=caps.timeout_s if asked.timeout is not None else graph.timeout_s,
        max_memory_bytes=caps.max_memory_bytes if asked.max_memory is not None else graph.max_memory_bytes,
        max_cpus=float(len(cpu_ids)) if caps.max_cpus is None and wants_cpus else caps.max_cpus,
        cpu_ids=tuple(cpu_ids),
    )


def need_of(step: Step, executor: str, caps: Caps, ran_out: int = 0) -> Need:
    """What an attempt of `step` on `executor` counts for, after `ran_out` others that ran out of memory."""
    if executor == _INLINE:
        return NO_NEED
    alone = executor == _PROCESS
    memory_bytes = quota_bytes(step, ran_out)
    if memory_bytes is None:
        memory_bytes = caps.default_memory_bytes if alone else 0
    cpus = step.cpus if step.cpus is not None else float(alone)
    return Need(
        memory_bytes if caps.max_memory_bytes is not None else 0,
        cpus if caps.max_cpus is not None else 0.0,
    )


def limit_faults(step: Step, executor: str, caps: Caps) -> list[Fault]:
    """What of a step can never run within the limits of the run."""
    need = need_of(step, executor, caps)
    faults: list[Fault] = []
    most = max(need.memory_bytes, (largest_quota_bytes(step) or 0) if need.memory_bytes else 0)
    if caps.max_memory_bytes is not None and most > caps.max_memory_bytes:
        faults.append(_above_memory(step, most, need.memory_bytes, caps.max_memory_bytes))
    if caps.max_cpus is not None and need.cpus > caps.max_cpus:
        message = f"step `{step.name}` needs {need.cpus:g} CPUs, and the run may use {caps.max_cpus:g}"
        help = "lower its `cpus`, or raise the limit with --max-cpus"
        faults.append(Fault(Code.above_cpu_limit, message, step.location, help))
    return faults


def _above_memory(step: Step, most: int, first: int, limit: int) -> Fault:
    declared = step.memory_bytes is not None
    counted = "needs" if declared else "declares no memory and counts for"
    grown = f" in its last attempt ({format_size(first)} in its first)" if most > first else ""
    message = (
        f"step `{step.name}` {counted} {format_size(most)}{grown}, and the run may use {format_size(limit)} at once"
    )
    help = "raise --max-memory, or lower " + ("its `memory`" if declared else "--default-memory")
    return Fault(Code.above_memory_limit, message, step.location, help)


def available_cpu_ids() -> tuple[int, ...]:
    """The CPUs that this process may run on, by number."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))
