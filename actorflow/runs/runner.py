"""The runner: one run as one supervision tree, from its first event to its last.

    RUN_ID
    |- journal        writes what the coordinator records
    |- control        answers who asks about the run, where its journal is a file
    |- workers        the workers of executors that have any
    `- coordinator    carries out what `RunState` decides
       `- one stage a step
          `- one attempt an execution

Journal and coordinator are temporary: neither can be replaced by an empty one, so the end of either ends the run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from random import Random

import anyio
from anyio import to_thread

from actorflow.actors.actor import Actor
from actorflow.actors.codec import EncodeError
from actorflow.actors.handler import handler
from actorflow.actors.monitor import Down
from actorflow.actors.ref import ActorRef
from actorflow.actors.system import ActorSystem
from actorflow.flows.plan import Plan
from actorflow.runs.control import RunControl
from actorflow.runs.control_socket import Answers, ControlPlace, ControlSocket
from actorflow.runs.coordinator import Coordinator
from actorflow.runs.error_record import error_record
from actorflow.runs.events import RunFinished, RunResumed, RunStarted
from actorflow.runs.executor import Cause, ErrorRecord, Executor, RunSite
from actorflow.runs.instructions import Finish
from actorflow.runs.journal import Journal
from actorflow.runs.journal_news import journal_news
from actorflow.runs.output_log import OutputLog
from actorflow.runs.output_news import output_news
from actorflow.runs.requests import Requests
from actorflow.runs.restore import Past
from actorflow.runs.run_state import RunState
from actorflow.runs.stage import CANCEL_GRACE_S
from actorflow.runs.states import RunStatus
from actorflow_supervisors import Crashed, ExitReason, InitFailed, Restart, describe
from actorflow_supervisors.loop import current_seam

KILL_GRACE_S = 2.0
"""How long a killed run's attempts may take to be reported; what cannot be ended is left behind after that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenUp:
    """What a run goes on from. event: what is recorded of that; None for a new run that reuses another's results.

    pause, cancel: who asked that it be paused, or ended, before anything starts; "" for nobody. unattended: nobody
    would stop it from being taken up for ever.
    """

    past: Past
    event: RunResumed | None = None
    pause: str = ""
    cancel: str = ""
    unattended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInput:
    """What the runner is given: the plan, its durable side, and where attempts execute.

    header: the run's first event. taken_up: what there is already, None for a run that begins. functions: the plain
    functions behind "module:qualname" task names. control: where others may ask about the run while it lasts; None:
    nowhere. output: where what tasks print goes; closed with the run. grace_s: how long what runs may take to end once
    it is cancelled.
    """

    plan: Plan
    header: RunStarted
    journal: Journal
    executors: Mapping[str, Executor]
    module: str
    file: str
    functions: Mapping[str, Callable[..., object]]
    control: ControlPlace | None = None
    output: OutputLog | None = None
    grace_s: float = CANCEL_GRACE_S
    taken_up: TakenUp | None = None

    @property
    def first_event(self) -> RunStarted | RunResumed:
        """What is recorded before anything else."""
        taken_up = self.taken_up
        return self.header if taken_up is None or taken_up.event is None else taken_up.event

    @property
    def run_id(self) -> str:
        return self.header.run_id


class JournalWriter(Actor):
    """Owns the journal's writing for as long as the run lasts."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    @handler
    async def write(self) -> None:
        await self.journal.write()


class Workers(Actor):
    """The parent of a run's workers; executors spawn below it."""

    @handler
    async def spawn(self, factory: Callable[[], Actor], options: Mapping[str, object]) -> ActorRef[Actor]:
        # The options are those of Context.spawn, passed on by an executor; it refuses unknown ones.
        return await self.context.spawn(factory, **options)  # type: ignore[arg-type]  # checked there


class Run(Actor):
    """The root of one run. `finished` is called once, however the run ends. kill: ends what runs without grace."""

    def __init__(
        self,
        given: RunInput,
        finished: Callable[[Finish], None],
        is_over: Callable[[], bool],
        rng: Random,
        kill: Callable[[], None],
    ) -> None:
        self.given = given
        self.finished = finished
        self.is_over = is_over
        self.rng = rng
        self.kill = kill
        self.coordinator: ActorRef[Coordinator] | None = None
        self.begun = anyio.Event()

    @handler
    async def open(self) -> ActorRef[Workers]:
        """Start the journal and the parent of all workers."""
        factory = partial(JournalWriter, self.given.journal)
        writer = await self.context.spawn(factory, name="journal", restart=Restart.temporary)
        self.context.monitor(writer)
        await writer.tell(JournalWriter.write)
        if self.given.control is not None:
            socket = partial(ControlSocket, self.given.control, self._answers())
            self.context.spawn_nowait(socket, name="control", restart=Restart.transient)
        return await self.context.spawn(Workers, name="workers")

    @handler
    async def begin(self) -> None:
        """Set the coordinator going."""
        given = self.given
        slots = {name: executor.slots for name, executor in given.executors.items()}
        ahead = {name: executor.capabilities.ahead for name, executor in given.executors.items()}
        state = RunState(given.plan, given.run_id, slots=slots, rng=self.rng, ahead=ahead)
        factory = partial(
            Coordinator, state, given.journal, given.executors, self.finished, self.is_over, given.grace_s
        )
        self.coordinator = await self.context.spawn(factory, name="coordinator", restart=Restart.temporary)
        self.context.monitor(self.coordinator)
        taken_up = given.taken_up
        if taken_up is None:
            await self.coordinator.tell(Coordinator.begin)
        else:
            await self.coordinator.tell(Coordinator.take_up, taken_up.past, taken_up.pause, taken_up.cancel)
        self.begun.set()

    @handler
    async def cancel(self, reason: str) -> None:
        if self.coordinator is not None:
            await self.coordinator.tell(Coordinator.cancel, reason)

    @handler
    async def pause(self, reason: str, now: bool) -> None:
        if self.coordinator is not None:
            await self.coordinator.tell(Coordinator.pause, reason, now)

    @handler
    async def resume(self, reason: str) -> None:
        if self.coordinator is not None:
            await self.coordinator.tell(Coordinator.resume, reason)

    @handler
    async def kill_later(self, delay_s: float) -> None:
        """End what runs without grace, after that long."""
        if delay_s > 0:
            self.context.timers.after(delay_s, Run.kill_later, 0.0)
        else:
            self.kill()

    async def _begun_coordinator(self) -> ActorRef[Coordinator]:
        await self.begun.wait()
        assert self.coordinator is not None
        return self.coordinator

    async def _kill_after(self, delay_s: float) -> None:
        await self.context.ref.tell(Run.kill_later, delay_s)

    def _answers(self) -> Answers:
        news = {} if self.given.output is None else {"output": partial(output_news, self.given.output)}
        requests = Requests(self.given.journal, self._begun_coordinator, self._kill_after)
        asked = {"cancel": requests.cancel, "pause": requests.pause, "resume": requests.resume}
        journal = partial(journal_news, self.given.journal)
        return {"actors": self._actors, "journal": journal, **asked, **news}

    async def _actors(self, given: Mapping[str, object]) -> object:
        """Every actor of the run, for who asks at the control socket."""
        return [tree.to_json() for tree in self.context.system.tree()]

    async def down(self, down: Down) -> None:
        """Journal or coordinator is gone before the run was over."""
        self.finished(Finish(RunStatus.failed, Cause.lost, None, broken(down.reason)))


def broken(reason: ExitReason) -> ErrorRecord:
    """What a run says that ended because a part of actorflow did."""
    match reason:
        case Crashed(error) | InitFailed(error):
            return error_record(error)
        case _:
            return ErrorRecord(type="actorflow:RunBroken", message=describe(reason))


async def run_plan(given: RunInput, *, control: RunControl | None = None, rng: Random | None = None) -> Finish:
    """Run a plan to its end; everything of it is gone, and all of it on disk, when this returns.

    Cancelling the caller cancels the run, waits for it within its grace, and goes on as cancelled.
    """
    given.journal.append(given.first_event)
    runner = _Runner(given)
    async with ActorSystem() as system:
        await runner.run(system, control or RunControl(), rng or Random())
    finish = runner.finish
    assert finish is not None
    return finish


class _Runner:
    """The thread of control around the tree: opens what the run needs, waits for its end, closes in order."""

    def __init__(self, given: RunInput) -> None:
        self.given = given
        self.finish: Finish | None = None
        self._over = anyio.Event()
        self._waiting: anyio.CancelScope | None = None
        self._run: ActorRef[Run] | None = None

    async def run(self, system: ActorSystem, control: RunControl, rng: Random) -> None:
        factory = partial(Run, self.given, self._finished, self._is_over, rng, self.kill_run)
        run = await system.spawn(factory, name=self.given.run_id, restart=Restart.temporary)
        workers = await run.ask(Run.open)
        site = RunSite(
            run_id=self.given.run_id,
            module=self.given.module,
            file=self.given.file,
            functions=self.given.functions,
            spawn=partial(_spawn_worker, workers),
            output=self.given.output,
        )
        self._run = run
        try:
            async with AsyncExitStack() as stack:
                for executor in self.given.executors.values():
                    await stack.enter_async_context(executor.opened(site))
                await self._live(run, control)
        finally:
            if self.given.output is not None:
                await _close_output(self.given.output)
            self._record_end()
            await self.given.journal.close()

    async def _live(self, run: ActorRef[Run], control: RunControl) -> None:
        if control.reason is not None:
            self._finished(Finish(RunStatus.cancelled, Cause.cancelled, None, None))
            return
        await run.tell(Run.begin)
        control.attach(self, current_seam().call_from_anywhere)
        try:
            await self._wait(control)
        finally:
            control.detach()

    async def _wait(self, control: RunControl) -> None:
        try:
            with anyio.CancelScope() as waiting:
                self._waiting = waiting
                await self._over.wait()
            if self.finish is None:  # killed: what can be ended is about to report
                with anyio.move_on_after(KILL_GRACE_S):
                    await self._over.wait()
        except anyio.get_cancelled_exc_class():
            control.cancel("the program around the run was cancelled")
            with anyio.move_on_after(2 * self.given.grace_s, shield=True):
                await self._over.wait()
            raise

    def cancel_run(self, reason: str) -> None:
        if self._run is not None:
            self._run.try_tell(Run.cancel, reason)

    def pause_run(self, reason: str, *, now: bool) -> None:
        if self._run is not None:
            self._run.try_tell(Run.pause, reason, now)

    def resume_run(self, reason: str) -> None:
        if self._run is not None:
            self._run.try_tell(Run.resume, reason)

    def kill_run(self) -> None:
        for executor in self.given.executors.values():
            executor.kill()
        if self._waiting is not None:
            self._waiting.cancel()

    def _is_over(self) -> bool:
        return self.finish is not None

    def _finished(self, finish: Finish) -> None:
        if self.finish is None:
            self.finish = finish
            self._over.set()

    def _record_end(self) -> None:
        finish = _with_storable_result(self.finish or Finish(RunStatus.cancelled, Cause.cancelled, None, None))
        self.finish = finish
        self.given.journal.append(
            RunFinished(
                run_id=self.given.run_id,
                status=finish.status,
                cause=finish.cause,
                result=finish.result,
                error=finish.error,
            )
        )


def _with_storable_result(finish: Finish) -> Finish:
    """What each task returned can be written down; the list of them all may be too large."""
    try:
        if finish.result is not None:
            _ = finish.result.size_bytes
    except EncodeError as exc:
        return Finish(RunStatus.failed, Cause.bad_output, None, error_record(exc))
    return finish


async def _close_output(output: OutputLog) -> None:
    if output.is_silent:
        output.close()
        return
    with anyio.CancelScope(shield=True):  # bounded: what waits to be written is
        await to_thread.run_sync(output.close)


async def _spawn_worker(workers: ActorRef[Workers], factory: Callable[[], Actor], **options: object) -> ActorRef[Actor]:
    return await workers.ask(Workers.spawn, factory, options)
