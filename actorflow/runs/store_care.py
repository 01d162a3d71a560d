"""Looking after a store: check its runs, tell what it holds, remove what is old."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from actorflow.runs.file_system import file_system_of
from actorflow.runs.journal_reader import FORMAT
from actorflow.runs.prune import (
    GOING_SUFFIX,
    PruneRules,
    finish_removals,
    remove_run,
    run_files,
    run_size,
    runs_to_prune,
    size_of,
)
from actorflow.runs.run_check import RunCheck, check_run
from actorflow.runs.store import LAYOUT, SqliteStore
from actorflow.runs.store_errors import StoreError, unwritable
from actorflow.runs.stored_summary import is_owned
from actorflow.runs.tally import RunSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """A run that was removed, or would be. problem: why it is still there, "" if it is not."""

    run: RunSummary
    size_bytes: int
    problem: str = ""

    def to_json(self) -> dict[str, object]:
        return {
            "run_id": self.run.run_id,
            "dag": self.run.dag,
            "status": self.run.status.value,
            "ended": self.run.ended,
            "size_bytes": self.size_bytes,
            **({"problem": self.problem} if self.problem else {}),
        }


def check_runs(store: SqliteStore, name: str | None = None) -> Iterator[RunCheck]:
    """Check the run of that name, or every run, oldest first. Raises RunNotFound, AmbiguousRun."""
    if name is not None:
        stored = store.open_run(name)
        yield check_run(stored.path, stored.is_owned)
        return
    for path in sorted(store.journals()):
        yield check_run(path, partial(is_owned, path))


def prune(store: SqliteStore, rules: PruneRules, *, now: float | None = None, dry_run: bool = False) -> list[Pruned]:
    """Remove the runs that the rules let go, oldest first, and what is left of removals that were broken off.

    A run that another process owns, or that could not be removed, is told with its problem and stays.
    """
    chosen = runs_to_prune(store.runs(), rules, now=time.time() if now is None else now)
    if dry_run:
        return [Pruned(run=run, size_bytes=run_size(store.journal_path(run.run_id))) for run in reversed(chosen)]
    with _as_store_errors(store.root):
        finish_removals(store.folder)
    return [_removed(store, run) for run in reversed(chosen)]


def _removed(store: SqliteStore, run: RunSummary) -> Pruned:
    try:
        with _as_store_errors(store.journal_path(run.run_id)):
            size_bytes = remove_run(store.journal_path(run.run_id))
    except StoreError as exc:
        return Pruned(run=run, size_bytes=0, problem=exc.problem)
    store.catalog.forget(run.run_id)
    return Pruned(run=run, size_bytes=size_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreInfo:
    """What a store holds and stands on. sizes: bytes of journals, values and output. damaged: ids of such runs."""

    path: str
    exists: bool
    runs: int
    by_status: Mapping[str, int]
    damaged: Sequence[str]
    sizes: Mapping[str, int]
    free_bytes: int | None
    file_system: str | None
    unfinished_removals: int
    layout: int = LAYOUT
    journal_format: int = FORMAT
    sqlite: str = sqlite3.sqlite_version

    @property
    def size_bytes(self) -> int:
        return sum(self.sizes.values())

    def to_json(self) -> dict[str, object]:
        return {**asdict(self), "size_bytes": self.size_bytes}


def store_info(store: SqliteStore) -> StoreInfo:
    """Look at all of it; nothing is made or changed but the catalog."""
    runs = store.runs()
    sizes: Counter[str] = Counter()
    for path in store.journals():
        for found in run_files(path):
            sizes[_part_of(found)] += size_of(found)
    mount = file_system_of(store.root)
    return StoreInfo(
        path=str(store.root.absolute()),
        exists=store.folder.is_dir(),
        runs=len(runs),
        by_status=dict(sorted(Counter(run.status.value for run in runs).items())),
        damaged=[run.run_id for run in runs if run.problem],
        sizes=dict(sorted(sizes.items())),
        free_bytes=_free_bytes(store.root),
        file_system=None if mount is None else mount.kind,
        unfinished_removals=len(list(store.folder.glob(f"*{GOING_SUFFIX}"))),
    )


def _part_of(path: Path) -> str:
    if path.suffix == ".values":
        return "values"
    return "output" if path.name.endswith(".jsonl") else "journals"


def _free_bytes(root: Path) -> int | None:
    """On the disk of the store, or of the nearest folder above that exists."""
    for folder in (root, *root.absolute().parents):
        with suppress(OSError):
            return shutil.disk_usage(folder).free
    return None


@contextmanager
def _as_store_errors(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as exc:
        raise unwritable(path, exc) from exc
