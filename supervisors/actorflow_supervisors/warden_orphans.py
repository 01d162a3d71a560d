"""Warden orphans: processes that lost their parent below a warden, and became its children.

One that has ended is reaped. One that lives belongs to the tree that claims it, and ends with that. One that nobody
claims, since it left its session and carries no mark, is killed once no process is left that is old enough to have
started it.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Collection

from actorflow_supervisors.process_tree import Stat, below, children, stat_of
from actorflow_supervisors.warden_tree import Tree


def look_after_orphans(pid: int, trees: Collection[Tree], zygotes: Collection[int]) -> None:
    """Of warden `pid`. zygotes: ids of the trees that start nothing but workers."""
    roots = {tree.pid for tree in trees}
    for child in children(pid):
        orphan = None if child in roots else stat_of(child)
        if orphan is None or _reaped(orphan):
            continue
        if is_stray(orphan, trees, zygotes):
            for member in (orphan, *below(child)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(member.pid, signal.SIGKILL)


def is_stray(orphan: Stat, trees: Collection[Tree], zygotes: Collection[int]) -> bool:
    """Nobody claims it, and no worker is old enough to have started it."""
    return not any(tree.claims(orphan) or (tree.id not in zygotes and tree.started <= orphan.started) for tree in trees)


def _reaped(orphan: Stat) -> bool:
    return orphan.gone and os.waitpid(orphan.pid, os.WNOHANG) != (0, 0)
