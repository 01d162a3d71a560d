"""Composition of a new run that takes after a former one: `actorflow.replay` is its face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from actorflow.compose import Observer, RunResult, RunSettings, carry_out, make_header, watch_of
from actorflow.flows.dag import BoundDag, Dag
from actorflow.flows.limits import NO_LIMITS, RunLimits
from actorflow.flows.plan import BoundParam, make_plan
from actorflow.own_loop import Backend, run_in_own_loop
from actorflow.recompose.recorded import dag_of
from actorflow.runs.control import RunControl
from actorflow.runs.large_values import LargeValues, ValueOptions
from actorflow.runs.output_settings import DEFAULT_OUTPUT, OutputSettings
from actorflow.runs.replay import other_values, run_anew, taken_over
from actorflow.runs.restore import past_of
from actorflow.runs.restore_values import RowValues
from actorflow.runs.resume import (
    ResumeRefused,
    limits_over,
    recorded_params,
    require_same_structure,
    with_recorded_executors,
)
from actorflow.runs.runner import TakenUp
from actorflow.runs.selection import left_out
from actorflow.runs.store import SqliteStore, new_run_id
from actorflow.runs.stored_run import StoredRun
from actorflow.runs.values import Value, ValueSource
from actorflow.telemetry.choice import AnyTracerProvider


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaying:
    """How a run is replayed. start: the steps from which on; none: everything runs. params: over the recorded ones."""

    start: Sequence[str] = ()
    params: Mapping[str, BoundParam] = field(default_factory=dict[str, BoundParam])
    select: Sequence[str] = ()
    exclude: Sequence[str] = ()
    fail_fast: bool | None = None
    limits: RunLimits = NO_LIMITS


def replay(
    run_id: str,
    pipeline: BoundDag[Any] | Dag[Any, Any] | None = None,
    *,
    start: Sequence[str] = (),
    params: Mapping[str, object] | None = None,
    store: str | Path | None = None,
    executor: str | None = None,
    workers: int | None = None,
    on_records: Observer | None = None,
    control: RunControl | None = None,
    telemetry: bool | AnyTracerProvider = False,
    output: OutputSettings = DEFAULT_OUTPUT,
    tags: Mapping[str, str] | None = None,
    values: ValueOptions | None = None,
    backend: Backend = "asyncio",
) -> RunResult[Any]:
    """A new run with the parameters of a former one, whatever became of that.

    start: steps; all that does not come after them is taken over from the former run, as far as it is committed. Then
    the dag must have the same structure. params: over the recorded ones; what reads them runs anew. The others as in
    `run` and `resume`. Raises what these raise.
    """

    async def main() -> RunResult[Any]:
        return await replay_async(
            run_id,
            pipeline,
            start=start,
            params=params,
            store=store,
            executor=executor,
            workers=workers,
            on_records=on_records,
            control=control,
            telemetry=telemetry,
            output=output,
            tags=tags,
            values=values,
        )

    return run_in_own_loop(main, backend=backend)


async def replay_async(
    run_id: str,
    pipeline: BoundDag[Any] | Dag[Any, Any] | None = None,
    *,
    start: Sequence[str] = (),
    params: Mapping[str, object] | None = None,
    store: str | Path | None = None,
    executor: str | None = None,
    workers: int | None = None,
    on_records: Observer | None = None,
    control: RunControl | None = None,
    telemetry: bool | AnyTracerProvider = False,
    output: OutputSettings = DEFAULT_OUTPUT,
    tags: Mapping[str, str] | None = None,
    values: ValueOptions | None = None,
) -> RunResult[Any]:
    """`replay`, inside a running asyncio or trio program. Cancelling it cancels the run and waits for its end."""
    settings = RunSettings(
        store=store,
        workers=workers,
        executor=executor,
        telemetry=watch_of(telemetry),
        output=output,
        tags=tags or {},
        values=values or ValueOptions(),
    )
    stored = SqliteStore(store).open_run(run_id)
    dag = dag_of(pipeline, stored)
    given = {name: BoundParam(value, "replay") for name, value in (params or {}).items()}
    how = Replaying(start=start, params=given)
    return await run_again(stored, dag, how, settings=settings, on_records=on_records, control=control)


async def run_again(
    stored: StoredRun,
    dag: Dag[Any, Any],
    how: Replaying,
    *,
    settings: RunSettings,
    on_records: Observer | None = None,
    control: RunControl | None = None,
) -> RunResult[Any]:
    """Carry out a new run with what there is of a former one."""
    past = past_of(stored.records(), refreshed=True, keep=RowValues(stored.path).lazily)
    if past is None:
        raise ResumeRefused(f"run {stored.run_id} has not begun", "start it anew")
    header, graph = past.header, dag.graph
    if how.start:
        require_same_structure(header, graph, f"replayed from {', '.join(how.start)}")
    recorded = {name: replace(bound, source="replay") for name, bound in recorded_params(header).items()}
    executor = settings.executor or past.executor
    settings = replace(settings, executor=executor)
    plan = make_plan(
        with_recorded_executors(graph, header) if executor == header.executor else graph,
        {**recorded, **how.params},
        executor=executor,
        limits=limits_over(header, how.limits),
        left_out=left_out(graph, how.select, how.exclude),
        fail_fast=header.fail_fast if how.fail_fast is None else how.fail_fast,
    )
    taken_up = None
    if how.start:
        before = {name: param.value for name, param in header.params.items()}
        changed = other_values(before, {name: bound.value for name, bound in plan.params.items()})
        anew = run_anew(graph, how.start, changed)
        taken_up = TakenUp(past=taken_over(past, plan, anew, partial(_is_kept, stored.values)))
    new_header = make_header(plan, dag, settings, new_run_id(), replay_of=stored.run_id)
    store = SqliteStore(settings.store, values=settings.values)
    journal = store.create_run(new_header.run_id)
    return await carry_out(
        plan,
        dag,
        new_header,
        store,
        journal,
        settings=settings,
        on_records=on_records,
        control=control,
        taken_up=taken_up,
    )


def _is_kept(source: ValueSource | None, value: Value) -> bool:
    """False for a large value that was released."""
    if not isinstance(source, LargeValues):
        return True
    reference = value.reference_in(source)
    return reference is None or source.holds(reference)
