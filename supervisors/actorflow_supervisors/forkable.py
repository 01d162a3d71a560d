"""Forkable: whether copies of this process could live on, and what an import changed about that."""

from __future__ import annotations

import contextlib
import os
import threading
from dataclasses import dataclass

from actorflow_supervisors.process_tree import PROCFS, children


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a process has that its copies could not. descriptors: number and target of each open one."""

    threads: int
    descriptors: frozenset[str]
    children: int


def footprint() -> Footprint:
    """Of this process, now. Threads are Python's and everybody else's; no descriptors where the system lists none."""
    return Footprint(_threads(), _descriptors(), len(children(os.getpid())) if PROCFS else 0)


def why_import_bars_forks(before: Footprint, after: Footprint) -> str:
    """Why what was imported between the two cannot be forked in a process of its own; "" where it can."""
    return why_not_forked(
        threads=1 + after.threads - before.threads,
        opened=sorted(after.descriptors - before.descriptors),
        children=after.children - before.children,
        can_mark=True,
    )


def why_not_forked(*, threads: int, opened: list[str], children: int, can_mark: bool) -> str:
    """Why a process of this kind cannot be forked, for people; "" where it can.

    | what it has | verdict |
    |---|---|
    | a second thread | a copy has only one, and the locks that the others held |
    | a file, socket or pipe of its own | copies would share it |
    | a child | it would be nobody's in a copy |
    | no way to write its marker | what a copy starts could not be found |
    """
    if threads > 1:
        return (
            f"importing it started {threads - 1} thread{'s' * (threads > 2)}, and a copy would have only one "
            "(numpy's and others' are as many as OPENBLAS_NUM_THREADS and OMP_NUM_THREADS say)"
        )
    if opened:
        return f"importing it opened {', '.join(opened)}, which copies would share"
    if children > 0:
        return "importing it started a process"
    if not can_mark:
        return "its environment cannot be marked"
    return ""


def _threads() -> int:
    tasks = len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 1
    return max(threading.active_count(), tasks)


def _descriptors() -> frozenset[str]:
    found: set[str] = set()
    for name in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else ():
        with contextlib.suppress(OSError):  # of the listing
            found.add(f"{name} ({os.readlink(f'/proc/self/fd/{name}')})")
    return frozenset(found)
