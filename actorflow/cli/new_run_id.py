"""The id that a person gives a new run: one that can be one, and that no run has."""

from __future__ import annotations

from actorflow.cli.complaint import refusal
from actorflow.runs.run_ids import RUN_ID_HELP, check_run_id
from actorflow.runs.store import SqliteStore


def require_free(run_id: str, store: str | None) -> None:
    """Before anything is loaded; who takes the id meanwhile is found out when the run is created. Raises Complaint."""
    try:
        check_run_id(run_id)
    except ValueError:
        raise refusal(f"--run-id {run_id}: no name that a run can have", RUN_ID_HELP) from None
    if SqliteStore(store).journal_path(run_id).exists():
        help = f"give the new run another id, or let that one go on: actorflow resume {run_id}"
        raise refusal(f"--run-id {run_id}: there is a run of that id", help)
