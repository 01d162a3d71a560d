"""Which stored runs may go, decided purely; and how one goes, so that an end in the middle strands nothing."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from actorflow.runs.anchor import SUFFIX as ANCHOR_SUFFIX
from actorflow.runs.catalog import SUFFIX as JOURNAL_SUFFIX
from actorflow.runs.control_socket import SUFFIX as SOCKET_SUFFIX
from actorflow.runs.durable_file import sync_directory
from actorflow.runs.large_values import SUFFIX as VALUES_SUFFIX
from actorflow.runs.output_file import SUFFIX as OUTPUT_SUFFIX
from actorflow.runs.run_lock import SUFFIX as LOCK_SUFFIX
from actorflow.runs.run_lock import RunLock
from actorflow.runs.salvage import MAKING_SUFFIX, set_aside_folders
from actorflow.runs.states import TERMINAL_RUN_STATUSES, RunStatus
from actorflow.runs.store_errors import RunInUse
from actorflow.runs.tally import RunSummary

GOING_SUFFIX: Final = ".pruned"
"""What the journal of a run is called from the moment on that the run is no more."""

BESIDE: Final = (
    f"{JOURNAL_SUFFIX}-wal",
    f"{JOURNAL_SUFFIX}-shm",
    f"{JOURNAL_SUFFIX}-journal",
    ANCHOR_SUFFIX,
    f"{ANCHOR_SUFFIX}-part",
    MAKING_SUFFIX,
    VALUES_SUFFIX,
    OUTPUT_SUFFIX,
    SOCKET_SUFFIX,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneRules:
    """A run goes if every rule lets it.

    older_than_s: it ended at least so long ago. keep: it is not among the newest so many of its dag. statuses: it ended
    so; empty means any end. unfinished: runs without an end, whose owner is gone, may go too.
    """

    older_than_s: float = 0.0
    keep: int = 0
    statuses: frozenset[RunStatus] = frozenset()
    unfinished: bool = False


def runs_to_prune(runs: Iterable[RunSummary], rules: PruneRules, *, now: float) -> list[RunSummary]:
    """Those of `runs`, newest first, that may go. Never one that goes on.

    | run | may go |
    |---|---|
    | going on: queued, running, pausing, paused, cancelling | never |
    | its journal cannot be read | only with `unfinished` |
    | interrupted | only with `unfinished`, its age from its start |
    | ended | its age from its end |
    """
    seen: Counter[str] = Counter()
    found: list[RunSummary] = []
    for run in runs:
        seen[run.dag] += 1
        if seen[run.dag] > rules.keep and _may_go(run, rules, now):
            found.append(run)
    return found


def _may_go(run: RunSummary, rules: PruneRules, now: float) -> bool:
    if rules.statuses and run.status not in rules.statuses:
        return False
    if run.status in TERMINAL_RUN_STATUSES and not run.problem:
        return now - (run.ended or 0.0) >= rules.older_than_s
    if run.status is RunStatus.interrupted or run.problem:
        return rules.unfinished and now - (run.started or 0.0) >= rules.older_than_s
    return False


def remove_run(journal: Path) -> int:
    """Remove everything of that run; how many bytes it had. Raises RunInUse while a process owns it, OSError.

    First the journal gets another name: from there on there is no such run, and `finish_removals` ends what was begun.
    """
    lock = RunLock.take(journal)
    try:
        size_bytes = run_size(journal)
        going = journal.with_suffix(GOING_SUFFIX)
        os.rename(journal, going)
        sync_directory(journal.parent)
        _remove_rest(going)
    finally:
        lock.release()
    return size_bytes


def finish_removals(folder: Path) -> None:
    """Remove what is left of runs whose removal was broken off, their locks last. Raises OSError."""
    left = {*folder.glob(f"*{GOING_SUFFIX}"), *_locks_of_no_run(folder)}
    for going in sorted(left):
        with suppress(RunInUse):  # another process is at it, or just begins a run
            lock = RunLock.take(going)
            try:
                _remove_rest(going)
            finally:
                lock.release()


def run_size(journal: Path) -> int:
    """Bytes of everything of that run."""
    return sum(map(size_of, run_files(journal)))


def run_files(journal: Path) -> Sequence[Path]:
    """Everything there is of that run but its lock."""
    found = [path for suffix in (JOURNAL_SUFFIX, *BESIDE) if (path := journal.with_suffix(suffix)).exists()]
    return [*found, *set_aside_folders(journal)]


def _locks_of_no_run(folder: Path) -> list[Path]:
    """The would-be journals of locks that have none."""
    locks = folder.glob(f"*{LOCK_SUFFIX}")
    return [lock.with_suffix(GOING_SUFFIX) for lock in locks if not lock.with_suffix(JOURNAL_SUFFIX).exists()]


def _remove_rest(going: Path) -> None:
    for path in (*[going.with_suffix(suffix) for suffix in BESIDE], *set_aside_folders(going)):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    going.unlink(missing_ok=True)


def size_of(path: Path) -> int:
    """Bytes of a file, or of the files in a folder; 0 where there is none."""
    with suppress(OSError):
        if path.is_dir():
            return sum(entry.stat().st_size for entry in os.scandir(path))
        return path.stat().st_size
    return 0
