"""Recorded: the first event of a former run, and the dag it was started from as its file holds it now."""

from __future__ import annotations

from typing import Any

from actorflow.flows.dag import BoundDag, Dag
from actorflow.flows.load import load_dag
from actorflow.runs.events import RunStarted
from actorflow.runs.resume import ResumeRefused
from actorflow.runs.stored_run import StoredRun


def dag_of(pipeline: BoundDag[Any] | Dag[Any, Any] | None, stored: StoredRun) -> Dag[Any, Any]:
    """The dag that a program gave, else the recorded one. Raises as `load_recorded_dag`."""
    if pipeline is None:
        return load_recorded_dag(stored)
    return pipeline.dag if isinstance(pipeline, BoundDag) else pipeline


def load_recorded_dag(stored: StoredRun, file: str | None = None) -> Dag[..., Any]:
    """The dag that a run was started from, as its file holds it now. file: where that is by now.

    Raises FlowFaults, and ResumeRefused for a run of a dag in `__main__`.
    """
    header = recorded_header(stored)
    if file is not None:
        return load_dag(file if ":" in file else f"{file}:{header.dag}")
    if header.module == "__main__":
        message = f"run {stored.run_id} was started by the program {header.file}, which has to resume it"
        raise ResumeRefused(message, f'call actorflow.resume("{stored.run_id}", {header.dag}) in it')
    return load_dag(f"{header.file}:{header.dag}")


def recorded_header(stored: StoredRun) -> RunStarted:
    """The first event of a run. Raises ResumeRefused where there is none."""
    first = next(iter(stored.records()), None)
    if first is None or not isinstance(first.event, RunStarted):
        raise ResumeRefused(f"run {stored.run_id} has not begun", "start it anew")
    return first.event
