"""Composition of a run that goes on: `actorflow.resume` is its face."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from actorflow.compose import Observer, RunResult, RunSettings, carry_out, close_watch, watch_of
from actorflow.flows.dag import BoundDag, Dag
from actorflow.flows.limits import NO_LIMITS, RunLimits
from actorflow.flows.plan import Plan, make_plan
from actorflow.flows.structure import source_digests
from actorflow.own_loop import Backend, run_in_own_loop
from actorflow.recompose.recorded import dag_of
from actorflow.runs.control import RunControl
from actorflow.runs.events import Record, RunResumed
from actorflow.runs.journal import Journal
from actorflow.runs.large_values import ValueOptions
from actorflow.runs.output_settings import DEFAULT_OUTPUT, OutputSettings
from actorflow.runs.restore import Past, PastFold
from actorflow.runs.restore_values import RowValues
from actorflow.runs.resume import (
    ResumeRefused,
    changed_sources,
    has_to_do,
    limits_over,
    recorded_params,
    require_same_structure,
    with_recorded_executors,
)
from actorflow.runs.runner import TakenUp
from actorflow.runs.salvage import loss_words, salvage
from actorflow.runs.states import RunStatus
from actorflow.runs.store import SqliteStore
from actorflow.telemetry.choice import AnyTracerProvider

logger = logging.getLogger("actorflow.runs")

_PAUSED = frozenset({RunStatus.pausing, RunStatus.paused})


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumption:
    """How a run is to go on.

    reason: who asks, in words. unattended: nobody watches, so budgets go on, what has ended stays, a paused run stays
    paused. paused: it goes on paused, until somebody resumes it. limits: over those it was started with.
    """

    reason: str = "actorflow.resume"
    unattended: bool = False
    paused: bool = False
    limits: RunLimits = NO_LIMITS


def resume(
    run_id: str,
    pipeline: BoundDag[Any] | Dag[Any, Any] | None = None,
    *,
    store: str | Path | None = None,
    executor: str | None = None,
    workers: int | None = None,
    unattended: bool = False,
    accept_loss: bool = False,
    on_records: Observer | None = None,
    control: RunControl | None = None,
    telemetry: bool | AnyTracerProvider = False,
    output: OutputSettings = DEFAULT_OUTPUT,
    values: ValueOptions | None = None,
    backend: Backend = "asyncio",
) -> RunResult[Any]:
    """Let a run go on that failed, was cancelled, or whose process is gone; what is committed does not run again.

    run_id: as for `actorflow show`. pipeline: its dag; None: loaded from the file it was started from. executor: other
    than before. unattended: spend the budgets that are left, and leave what has ended; else they begin anew.
    accept_loss: where the journal is damaged, go on from what can be trusted; a warning to the logger `actorflow.runs`
    says what was lost. A run that had succeeded is told as it was, and nothing runs. The others as in `run`. Raises
    ResumeRefused, StructureChanged with what differs in the dag, JournalDamaged, RunInUse while another process owns
    it, and what `run` raises.
    """

    async def main() -> RunResult[Any]:
        return await resume_async(
            run_id,
            pipeline,
            store=store,
            executor=executor,
            workers=workers,
            unattended=unattended,
            accept_loss=accept_loss,
            on_records=on_records,
            control=control,
            telemetry=telemetry,
            output=output,
            values=values,
        )

    return run_in_own_loop(main, backend=backend)


async def resume_async(
    run_id: str,
    pipeline: BoundDag[Any] | Dag[Any, Any] | None = None,
    *,
    store: str | Path | None = None,
    executor: str | None = None,
    workers: int | None = None,
    unattended: bool = False,
    accept_loss: bool = False,
    on_records: Observer | None = None,
    control: RunControl | None = None,
    telemetry: bool | AnyTracerProvider = False,
    output: OutputSettings = DEFAULT_OUTPUT,
    values: ValueOptions | None = None,
) -> RunResult[Any]:
    """`resume`, inside a running asyncio or trio program. Cancelling it cancels the run and waits for its end."""
    settings = RunSettings(
        store=store,
        workers=workers,
        executor=executor,
        telemetry=watch_of(telemetry),
        output=output,
        values=values or ValueOptions(),
    )
    stored = SqliteStore(store).open_run(run_id)
    loss = salvage(stored.path) if accept_loss else None
    if loss is not None:
        logger.warning("run %s: %s", loss.run_id, "; ".join(loss_words(loss)))
    how = Resumption(unattended=unattended)
    dag = dag_of(pipeline, stored)
    return await go_on(stored.run_id, dag, how, settings=settings, on_records=on_records, control=control)


async def go_on(
    run_id: str,
    dag: Dag[Any, Any],
    how: Resumption,
    *,
    settings: RunSettings,
    recall: Callable[[Record], object] | None = None,
    on_records: Observer | None = None,
    control: RunControl | None = None,
) -> RunResult[Any]:
    """Take a run of the store up with the dag that its file holds by now. recall: hears what is recorded already."""
    store = SqliteStore(settings.store, values=settings.values)
    values = RowValues(store.journal_path(run_id))
    fold = PastFold(values.lazily)
    watch = settings.telemetry
    hearers = [fold.apply, *([] if recall is None else [recall]), *([] if watch is None else [watch.replay])]
    hear = hearers[0] if len(hearers) == 1 else partial(_tell_all, hearers)
    store = SqliteStore(settings.store, values=settings.values, make_journal=partial(Journal, replayed=hear))
    journal = store.reopen_run(run_id)
    try:
        past = fold.past(refreshed=not how.unattended)
        if past is None:
            raise ResumeRefused(f"run {run_id} has not begun", "start it anew")
        if not has_to_do(past, unattended=how.unattended):
            await journal.close()
            if watch is not None:
                await close_watch(watch)
            return _as_it_was(past, run_id, journal.path)
        require_same_structure(past.header, dag.graph)
        plan = plan_again(past, dag, settings, how.limits)
        taken_up = _taken_up(past, dag, settings, how)
    except BaseException:
        await journal.close()
        if watch is not None:
            await close_watch(watch)
        raise
    result = await carry_out(
        plan,
        dag,
        past.header,
        store,
        journal,
        settings=settings,
        on_records=on_records,
        control=control,
        taken_up=taken_up,
    )
    if result.encoded is not None:
        result.encoded.hold()  # it is asked for later, when the store may be gone
    return result


def plan_again(past: Past, dag: Dag[Any, Any], settings: RunSettings, limits: RunLimits) -> Plan:
    """The plan that the run goes on with: its own parameters, places and limits, but for what is asked otherwise."""
    header = past.header
    same_places = settings.executor is None and past.executor == header.executor
    graph = with_recorded_executors(dag.graph, header) if same_places else dag.graph
    executor = settings.executor or past.executor
    return make_plan(
        graph,
        recorded_params(header),
        executor=executor,
        limits=limits_over(header, limits),
        left_out=header.selected_out,
        fail_fast=header.fail_fast,
    )


def _taken_up(past: Past, dag: Dag[Any, Any], settings: RunSettings, how: Resumption) -> TakenUp:
    event = RunResumed(
        how.reason,
        taken_up=True,
        refreshed=not how.unattended,
        executor=settings.executor,
        sources=changed_sources(past.sources, source_digests(dag.functions)),
    )
    stays_paused = how.unattended and past.status in _PAUSED
    return TakenUp(
        past=past,
        event=event,
        pause=how.reason if how.paused else past.paused_by if stays_paused else "",
        cancel=past.cancel_reason if how.unattended and past.status is RunStatus.cancelling else "",
        unattended=how.unattended,
    )


def _as_it_was(past: Past, run_id: str, path: Path) -> RunResult[Any]:
    end = past.end
    if end is not None and end.result is not None:
        end.result.hold()
    return RunResult(
        run_id=run_id,
        status=past.status,
        error=None if end is None else end.error,
        failed_task=None if past.failure is None else past.failure[0],
        path=path,
        encoded=None if end is None else end.result,
    )


def _tell_all(hearers: Sequence[Callable[[Record], object]], record: Record) -> None:
    for hear in hearers:
        hear(record)
