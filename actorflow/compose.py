"""Composition: the one place that puts store, executors and runner together. `actorflow.run` is its face."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import anyio
import anyio.to_thread

from actorflow.actors.errors import ActorflowError
from actorflow.executors.event_loop import EventLoopExecutor
from actorflow.executors.inline import InlineExecutor
from actorflow.executors.thread import ThreadExecutor
from actorflow.flows.dag import BoundDag, Dag
from actorflow.flows.limits import NO_LIMITS, RunLimits
from actorflow.flows.plan import Plan, make_plan
from actorflow.flows.structure import source_digests, structure_of
from actorflow.own_loop import Backend, run_in_own_loop, running_loop
from actorflow.runs.announced import AnnouncedExecutor
from actorflow.runs.control import RunControl
from actorflow.runs.control_socket import Answers, ControlPlace, socket_path
from actorflow.runs.events import Record, RecordedLimits, RecordedParam, RecordedTask, RunStarted
from actorflow.runs.executor import ErrorRecord, Executor
from actorflow.runs.instructions import Finish
from actorflow.runs.journal import BlockedObserver, Journal
from actorflow.runs.large_values import ValueOptions
from actorflow.runs.output_capture import captured_prints
from actorflow.runs.output_log import OutputLog
from actorflow.runs.output_settings import DEFAULT_OUTPUT, OutputSettings
from actorflow.runs.provenance import code_digest, revision_of
from actorflow.runs.runner import RunInput, TakenUp, run_plan
from actorflow.runs.selection import left_out
from actorflow.runs.stage import CANCEL_GRACE_S
from actorflow.runs.states import RunStatus
from actorflow.runs.store import SqliteStore, new_run_id
from actorflow.runs.values import Value
from actorflow.telemetry.choice import AnyTracerProvider, Watch, require_opentelemetry
from actorflow.version import VERSION
from actorflow_supervisors.loop import current_seam
from actorflow_supervisors.recycling import Recycling

if TYPE_CHECKING:
    from actorflow.telemetry.run_telemetry import RunTelemetry

R_co = TypeVar("R_co", covariant=True)
DEFAULT_RECYCLING = Recycling()
Observer = Callable[[Sequence[Record]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """How a run is carried out.

    store: folder of the run store; None means ACTORFLOW_STORE, else `.actorflow` in the current folder. workers: how
    many worker processes the `process` executor may have; None means one a core. executor: the run's default, as the
    plan was made with it; recorded only. recycling: when a worker process makes room for a new one. telemetry: hangs on
    this one run. output: what becomes of what tasks print. grace_s: how long what runs may take to end once the run is
    cancelled; half of it a worker process has before it is killed. tags: what the run is called by, to be found by.
    values: where large ones are kept, and how long. on_blocked: called in the loop whenever the disk is full, with the
    error, and with None once there is room again.
    """

    store: str | Path | None = None
    workers: int | None = None
    executor: str | None = None
    recycling: Recycling = DEFAULT_RECYCLING
    telemetry: Watch | None = None
    output: OutputSettings = DEFAULT_OUTPUT
    grace_s: float = CANCEL_GRACE_S
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    values: ValueOptions = field(default_factory=ValueOptions)
    on_blocked: BlockedObserver | None = None


class RunFailed(ActorflowError):
    """A run whose value was asked for did not succeed. `record` says what the first failure was; None if cancelled."""

    def __init__(self, run_id: str, status: RunStatus, record: ErrorRecord | None) -> None:
        why = f": {record.type.partition(':')[2]}: {record.message}" if record is not None else ""
        super().__init__(f"run {run_id} {status}{why}; `actorflow show {run_id}` tells more")
        self.run_id = run_id
        self.status = status
        self.record = record


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult(Generic[R_co]):
    """How a run ended. error: of the first task that failed. failed_task: its name. path: the run's journal file."""

    run_id: str
    status: RunStatus
    error: ErrorRecord | None
    failed_task: str | None
    path: Path
    encoded: Value | None

    @property
    def value(self) -> R_co:
        """What the dag returned. Raises RunFailed if the run did not succeed."""
        if self.status is not RunStatus.succeeded or self.encoded is None:
            raise RunFailed(self.run_id, self.status, self.error)
        return cast(R_co, self.encoded.get())


def run(
    pipeline: BoundDag[R_co] | Dag[Any, R_co],
    *,
    store: str | Path | None = None,
    executor: str | None = None,
    workers: int | None = None,
    on_records: Observer | None = None,
    control: RunControl | None = None,
    limits: RunLimits = NO_LIMITS,
    recycling: Recycling = DEFAULT_RECYCLING,
    telemetry: bool | AnyTracerProvider = False,
    output: OutputSettings = DEFAULT_OUTPUT,
    tags: Mapping[str, str] | None = None,
    values: ValueOptions | None = None,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    fail_fast: bool | None = None,
    backend: Backend = "asyncio",
) -> RunResult[R_co]:
    """Run a pipeline to its end in a loop of its own, and say how it ended; a failing task raises nothing here.

    limits: of the run as a whole, over those of its dag. recycling: when a worker process makes room for a new one,
    between two attempts. on_records: called in the loop with each group of events once
    it is on disk. backend: asyncio means uvloop where it is installed, unless ACTORFLOW_UVLOOP=0. output: what becomes
    of what tasks print. tags: what `actorflow runs` finds it by. values: from which size on they are kept outside of
    the journal's rows, and how long. select, exclude: which steps run, as `actorflow run --select` takes them.
    fail_fast: the first failure that counts ends the run; None: as the dag says. telemetry: to OpenTelemetry; True
    through the tracer provider that this program has set up, else as the OTEL_* variables say; or through the provider
    given. Raises FlowFaults where nothing can run, StoreError where the journal cannot be written, TelemetryMissing
    without the extra `otel`.
    """
    if _in_a_loop():
        raise RuntimeError("actorflow.run starts a loop of its own; inside a running one use `await run_async(...)`")

    async def main() -> RunResult[R_co]:
        return await run_async(
            pipeline,
            store=store,
            executor=executor,
            workers=workers,
            on_records=on_records,
            control=control,
            limits=limits,
            recycling=recycling,
            telemetry=telemetry,
            output=output,
            tags=tags,
            values=values,
            select=select,
            exclude=exclude,
            fail_fast=fail_fast,
        )

    return run_in_own_loop(main, backend=backend)


async def run_async(
    pipeline: BoundDag[R_co] | Dag[Any, R_co],
    *,
    store: str | Path | None = None,
    executor: str | None = None,
    workers: int | None = None,
    on_records: Observer | None = None,
    control: RunControl | None = None,
    limits: RunLimits = NO_LIMITS,
    recycling: Recycling = DEFAULT_RECYCLING,
    telemetry: bool | AnyTracerProvider = False,
    output: OutputSettings = DEFAULT_OUTPUT,
    tags: Mapping[str, str] | None = None,
    values: ValueOptions | None = None,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    fail_fast: bool | None = None,
) -> RunResult[R_co]:
    """`run`, inside a running asyncio or trio program. Cancelling it cancels the run and waits for its end."""
    bound = pipeline if isinstance(pipeline, BoundDag) else pipeline.bind()
    graph = bound.dag.graph
    left = left_out(graph, select, exclude)
    plan = make_plan(graph, bound.params, executor=executor, limits=limits, left_out=left, fail_fast=fail_fast)
    settings = RunSettings(
        store=store,
        workers=workers,
        executor=executor,
        recycling=recycling,
        telemetry=watch_of(telemetry),
        output=output,
        tags=tags or {},
        values=values or ValueOptions(),
    )
    return await execute(plan, bound.dag, settings=settings, on_records=on_records, control=control)


async def execute(
    plan: Plan,
    dag: Dag[Any, R_co],
    *,
    settings: RunSettings,
    on_records: Observer | None = None,
    control: RunControl | None = None,
    run_id: str | None = None,
) -> RunResult[R_co]:
    """Carry out a plan that was made from `dag`."""
    header = make_header(plan, dag, settings, run_id or new_run_id())
    store = SqliteStore(settings.store, values=settings.values)
    journal = store.create_run(header.run_id)
    return await carry_out(plan, dag, header, store, journal, settings=settings, on_records=on_records, control=control)


async def carry_out(
    plan: Plan,
    dag: Dag[Any, R_co],
    header: RunStarted,
    store: SqliteStore,
    journal: Journal,
    *,
    settings: RunSettings,
    on_records: Observer | None = None,
    control: RunControl | None = None,
    taken_up: TakenUp | None = None,
) -> RunResult[R_co]:
    """Run a plan to its end, on a journal that is open, and close that. taken_up: what there is of it already."""
    if on_records is not None:
        journal.subscribe(on_records)
    if settings.on_blocked is not None:
        journal.subscribe_blocked(settings.on_blocked)
    executors, watch = make_executors(plan, settings), settings.telemetry
    if taken_up is not None and taken_up.unattended:
        executors = {name: AnnouncedExecutor(executor) for name, executor in executors.items()}
    if watch is not None:
        header = watch.begin(header) if taken_up is None else header
        executors = watch.around(executors)
        journal.subscribe(watch.observe)
    given = RunInput(
        plan=plan,
        header=header,
        taken_up=taken_up,
        journal=journal,
        executors=executors,
        module=plan.graph.module,
        file=plan.graph.location.file,
        functions=dag.functions,
        control=ControlPlace(socket_path(journal.path), _serve_control),
        output=OutputLog(
            store.open_output(header.run_id),
            limits=settings.output.limits,
            listener=settings.output.listener,
            captures_here=settings.output.capture_prints,
        ),
        grace_s=settings.grace_s,
    )
    try:
        with captured_prints() if settings.output.capture_prints else nullcontext():
            async with _guarded():
                return _result(await run_plan(given, control=control), header.run_id, journal.path)
    finally:
        if watch is not None:
            await close_watch(watch)


def _guarded() -> AbstractAsyncContextManager[object]:
    """A warden around the run: what in-loop code starts by itself is ended, too, if this process is killed."""
    # Late: a program that only looks at runs needs none of it.
    from actorflow_supervisors.warden import shared_warden

    return shared_warden()


async def close_watch(watch: Watch) -> None:
    """Off the loop, to the end, which is bounded."""
    with anyio.CancelScope(shield=True):
        await anyio.to_thread.run_sync(watch.close)


def watch_of(choice: bool | AnyTracerProvider) -> Watch | None:
    """What hangs on a run for that choice; None without telemetry. Raises as `telemetry_of`."""
    return None if choice is False else telemetry_of(choice)


def telemetry_of(choice: bool | AnyTracerProvider) -> RunTelemetry:
    """The telemetry of one run. Raises TelemetryMissing, TelemetryRefused."""
    require_opentelemetry()
    # Late: OpenTelemetry costs a start more than everything else together.
    from actorflow.telemetry.run_telemetry import open_telemetry

    return open_telemetry(choice)


async def _serve_control(listening: socket.socket, answers: Answers) -> None:
    # Late: most runs are never asked anything, and conversations cost a cold start 6 ms of imports.
    from actorflow.runs.control_server import serve

    await serve(listening, answers)


def make_executors(plan: Plan, settings: RunSettings) -> Mapping[str, Executor]:
    """One executor of each name that the plan uses."""
    makers: dict[str, Callable[[], Executor]] = {
        "inline": InlineExecutor,
        "async": EventLoopExecutor,
        "thread": ThreadExecutor,
        "process": lambda: _process_executor(settings),
    }
    return {name: makers[name]() for name in dict.fromkeys(planned.executor for planned in plan.steps)}


def _process_executor(settings: RunSettings) -> Executor:
    # Late: processes and their watching cost a cold start what an async pipeline never needs.
    from actorflow.executors.process import ProcessExecutor

    return ProcessExecutor(settings.workers, grace_s=settings.grace_s / 2, recycling=settings.recycling)


def make_header(
    plan: Plan, dag: Dag[Any, Any], settings: RunSettings, run_id: str, *, replay_of: str = ""
) -> RunStarted:
    """The first event of a run. replay_of: the run whose parameters it takes; "" for none."""
    structure = structure_of(plan.graph)
    tasks = tuple(
        RecordedTask(
            name=planned.step.name,
            task=planned.step.task,
            executor=planned.executor,
            mapped=planned.step.mapped,
            upstream=planned.upstream,
            depth=planned.depth,
            attempts=planned.step.retry.attempts,
            timeout_s=planned.step.timeout_s,
            memory_bytes=planned.step.memory_bytes,
            elementwise=planned.elementwise,
            kept=planned.kept,
            deadline_s=planned.step.deadline_s,
            queue_timeout_s=planned.step.queue_timeout_s,
            cpus=planned.step.cpus,
            structure=structure.steps[planned.step.name],
            allow_failure=planned.step.allow_failure,
            critical=planned.step.critical,
            cleanup=planned.step.cleanup,
        )
        for planned in plan.steps
    )
    return RunStarted(
        run_id=run_id,
        dag=plan.graph.name,
        file=plan.graph.location.file,
        module=plan.graph.module,
        params={name: RecordedParam(Value.of(bound.value), bound.source) for name, bound in plan.params.items()},
        executor=settings.executor,
        notes=plan.notes,
        tasks=tasks,
        version=VERSION,
        python=".".join(map(str, sys.version_info[:3])),
        loop=running_loop(),
        tags=settings.tags,
        code=code_digest(plan.graph.location.file),
        revision=revision_of(plan.graph.location.file),
        limits=RecordedLimits(
            timeout_s=plan.caps.timeout_s,
            max_memory_bytes=plan.caps.max_memory_bytes,
            default_memory_bytes=plan.caps.default_memory_bytes,
            max_cpus=plan.caps.max_cpus,
        ),
        structure=structure.hash,
        sources=source_digests(dag.functions),
        replay_of=replay_of,
        selected_out=plan.left_out,
        fail_fast=plan.fail_fast,
    )


def _result(finish: Finish, run_id: str, path: Path) -> RunResult[Any]:
    return RunResult(
        run_id=run_id,
        status=finish.status,
        error=finish.error,
        failed_task=finish.failed_step,
        path=path,
        encoded=finish.result,
    )


def _in_a_loop() -> bool:
    try:
        current_seam()
    except RuntimeError:
        return False
    return True
