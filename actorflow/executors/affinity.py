"""Affinity: holds the worker of an attempt to the CPUs that the attempt was given."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress


@contextmanager
def held_to(pid: int, cpu_ids: Sequence[int]) -> Generator[None]:
    """Inside, process `pid` runs on these CPUs only, and so does what it starts; () for any.

    Threads that it had started before keep theirs. One that has ended is left alone.
    """
    if not cpu_ids:
        yield
        return
    before: set[int] = set()
    with suppress(ProcessLookupError):
        before = os.sched_getaffinity(pid)
        os.sched_setaffinity(pid, cpu_ids)
    try:
        yield
    finally:
        if before:
            with suppress(ProcessLookupError):
                os.sched_setaffinity(pid, before)
