"""How far a stored run is, told from its files: the quickest of them that can be trusted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from actorflow.runs.anchor import AnchorDamaged, anchor_path, read_anchor
from actorflow.runs.journal_reader import JournalReader
from actorflow.runs.owner import is_alive
from actorflow.runs.run_lock import SUFFIX as LOCK_SUFFIX
from actorflow.runs.states import TERMINAL_RUN_STATUSES, RunStatus
from actorflow.runs.tally import RunSummary, tally_of

MANY_ROWS: Final = 20_000
"""From here on the summary in the anchor, at most a second old, stands for that of a run which goes on."""


def is_owned(journal: Path) -> bool:
    """Whether a living process holds the run: it said so when it took it, and has not let go since."""
    if not journal.with_suffix(LOCK_SUFFIX).exists():
        return False
    with JournalReader(journal) as reader:
        return is_alive(reader.owner)


def closed_summary(journal: Path) -> RunSummary | None:
    """What the anchor says of a run that was closed and not written since; None where that cannot be told.

    A small file instead of a database: 0.05 ms instead of 0.5.
    """
    try:
        anchor = read_anchor(journal)
        if anchor is None or not anchor.closed or anchor.summary is None or anchor.run_id != journal.stem:
            return None
        if journal.stat().st_mtime_ns > anchor_path(journal).stat().st_mtime_ns:
            return None
        return RunSummary.from_json(anchor.summary)
    except (AnchorDamaged, OSError, KeyError, ValueError, TypeError):
        return None


def summary_of(journal: Path) -> RunSummary:
    """What the journal says; raises StoreError."""
    with JournalReader(journal) as reader:
        stored = reader.summary
        anchor = reader.anchor
        if stored is None and anchor is not None and anchor.seq > MANY_ROWS:
            stored = anchor.summary
        if stored is not None:
            return RunSummary.from_json(stored)
        return tally_of(reader.run_id, reader.rows()).summary()


def as_seen(summary: RunSummary, *, owned: bool) -> RunSummary:
    """The summary as it is shown: a run that has no end and no owner is interrupted, and nothing of it runs."""
    if owned or summary.status in TERMINAL_RUN_STATUSES:
        return summary
    tasks = dict(summary.tasks)
    lost = tasks.pop("running", 0)
    if lost:
        tasks["pending"] = tasks.get("pending", 0) + lost
    return replace(summary, status=RunStatus.interrupted, tasks=tasks)
