"""The trace of a run, folded from its records: each span once it has ended. Pure; no SDK, no clock.

    RUN {dag}                     the run
    |- task {name}                a plain step, since it was ready
    |  |- attempt {name}          each execution; a retry is linked to the attempt before
    |  `- attempt {name}
    `- task {name}                a mapped step as a whole, with how its instances ended
       `- task {name}             an instance, with its map index (of a wide map: a choice, see map_sample.py)
          `- attempt {name}

| what | is ended by |
|---|---|
| an attempt | its end; the next attempt of its instance, or the end of the run, where a crash left it without one |
| a task | its last attempt, or its end without one; the end of the run |
| a mapped step | its last instance |
| the run | its end; where its owner was killed, the last thing known, once it is taken up again. Each life has a span |
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from actorflow.runs.events import (
    AttemptFinished,
    AttemptStarted,
    Record,
    RecordedTask,
    RunCancelling,
    RunFinished,
    RunResumed,
    RunStarted,
    TaskFinished,
    TaskReady,
)
from actorflow.runs.executor import AttemptState, Cause, ErrorRecord
from actorflow.runs.states import RunStatus, TaskState
from actorflow.telemetry import names
from actorflow.telemetry.identity import SpanIds, TraceContext
from actorflow.telemetry.joining import Joined, Relation, read_joined
from actorflow.telemetry.map_sample import MAP_LIMITS, MapLimits, MapSample
from actorflow.telemetry.readiness import Readiness
from actorflow.telemetry.span_facts import Facts, exception_of, status_of, worker_facts
from actorflow.telemetry.spans import Failed, Kind, LinkRecord, SpanRecord

MAX_LINKS: Final = 32


@dataclass(slots=True)
class _Open:
    """An attempt that runs. waited_since_s: when its waiting began."""

    number: int
    started_s: float
    waited_since_s: float
    executor: str


@dataclass(slots=True)
class _Instance:
    """A task instance that has been reached and is not over. held: spans of its attempts, in a wide map."""

    since_s: float
    running: _Open | None = None
    attempts: int = 0
    last_number: int = 0
    held: list[SpanRecord] = field(default_factory=list[SpanRecord])


@dataclass(slots=True)
class _Step:
    """sample: of a wide map. results: how instances ended, of a map."""

    task: RecordedTask
    span_id: int = 0
    ready_s: float | None = None
    width: int | None = None
    is_over: bool = False
    sample: MapSample | None = None
    retried: int = 0
    results: Counter[str] = field(default_factory=Counter[str])
    instances: dict[int | None, _Instance] = field(default_factory=dict[int | None, _Instance])


class TraceFold:
    """Fed with every record of one run, in order; a resumed run's from its first on.

    With each start of an attempt comes the time since which it waited (readiness.py).
    """

    def __init__(self, limits: MapLimits = MAP_LIMITS) -> None:
        self.limits = limits
        self._header: RunStarted | None = None
        self._joined = Joined(TraceContext(1, 1))
        self._ids = SpanIds("")
        self._steps: dict[str, _Step] = {}
        self._started_s = 0.0
        self._last_s = 0.0
        self._cancel_reason = ""
        self._is_over = False

    @property
    def has_begun(self) -> bool:
        """True once the first record is known."""
        return self._header is not None

    @property
    def joined(self) -> Joined:
        """Where the run stands among the traces; known from its first record on."""
        return self._joined

    def apply(self, record: Record, waited_since_s: float | None) -> list[SpanRecord]:
        """The spans that ended with this record."""
        ts, event = record.ts, record.event
        spans: list[SpanRecord] = []
        match event:
            case AttemptStarted():
                spans = self._attempt_started(event, ts, ts if waited_since_s is None else waited_since_s)
            case AttemptFinished():
                spans = self._attempt_finished(event, ts)
            case TaskReady():
                spans = self._task_ready(event, ts)
            case TaskFinished():
                spans = self._task_finished(event, ts)
            case RunStarted():
                self._run_started(event, ts)
            case RunCancelling():
                self._cancel_reason = event.reason
            case RunFinished():
                spans = self._run_finished(event, ts)
            case RunResumed(taken_up=True):
                spans = self._taken_up(event, ts)
            case _:  # a pause is no span
                pass
        self._last_s = ts
        return spans

    # -- the run --------------------------------------------------------------------------------------------------

    def _run_started(self, event: RunStarted, ts: float) -> None:
        self._header, self._started_s = event, ts
        self._joined = read_joined(event.run_id, event.trace)
        self._ids = SpanIds(event.run_id)
        self._steps = {task.name: _Step(task, self._ids.task(task.name)) for task in event.tasks}

    def _taken_up(self, event: RunResumed, ts: float) -> list[SpanRecord]:
        """What the owner before left open ends with the last thing known; the new life is inside the old one's span."""
        spans: list[SpanRecord] = []
        if not self._is_over:
            lost = ErrorRecord(type="actorflow:RunLost", message="its process ended; the run was taken up again")
            end = RunFinished(run_id=self._ids.run_id, status=RunStatus.failed, cause=Cause.lost, error=lost)
            spans = self._run_finished(end, self._last_s, Cause.lost)
        before = self._joined.own
        self._ids = SpanIds(self._ids.run_id, self._ids.life + 1)
        self._joined = Joined(replace(before, span_id=self._ids.run()), before, Relation.parent)
        self._steps = {name: self._again(step) for name, step in self._steps.items()}
        self._started_s, self._cancel_reason, self._is_over = ts, "", False
        return spans

    def _again(self, step: _Step) -> _Step:
        sample = None if step.sample is None else MapSample(self.limits)
        return _Step(step.task, self._ids.task(step.task.name), width=step.width, sample=sample)

    def _run_finished(self, event: RunFinished, ts: float, open_cause: Cause = Cause.cancelled) -> list[SpanRecord]:
        self._is_over = True
        spans = [span for step in self._steps.values() for span in self._leave_behind(step, ts, open_cause)]
        facts = self._run_facts(event)
        link, parent = self._joined.link, self._joined.parent
        spans.append(
            SpanRecord(
                name=f"RUN {facts[names.PIPELINE]}",
                span_id=self._joined.own.span_id,
                parent_id=None if parent is None else parent.span_id,
                started_s=self._started_s,
                ended_s=ts,
                attributes=facts,
                kind=Kind.server,
                links=() if link is None else (LinkRecord(link.span_id, {names.LINK: "started_by"}, link.trace_id),),
                status=status_of(event.status is RunStatus.failed, event.cause, event.error),
            )
        )
        return spans

    def _run_facts(self, event: RunFinished) -> Facts:
        header = self._header
        facts: Facts = {
            names.PIPELINE: "" if header is None else header.dag,
            names.RUN_ID: event.run_id,
            names.ACTION: "RUN",
            names.RESULT: names.result_of(event.status, event.cause),
        }
        if event.status is RunStatus.failed:
            facts[names.ERROR_TYPE] = names.error_type(event.cause, event.error)
        if header is not None and header.version:
            facts[names.VERSION] = header.version
        if self._cancel_reason:
            facts[names.CANCEL_REASON] = self._cancel_reason
        return facts

    def _leave_behind(self, step: _Step, ts: float, cause: Cause) -> list[SpanRecord]:
        """What a killed run could not end, and steps that were begun."""
        state = TaskState.cancelled if cause is Cause.cancelled else TaskState.failed
        spans: list[SpanRecord] = []
        for map_index, instance in list(step.instances.items()):
            if instance.running is not None:
                spans += self._cut_short(step, map_index, instance, cause, ts)
            spans += self._end_instance(step, map_index, state, cause, None, ts)
        if (step.ready_s is not None or step.results) and not step.is_over:
            spans += self._end_step(step, state, cause, None, ts)
        return spans

    # -- steps ----------------------------------------------------------------------------------------------------

    def _task_ready(self, event: TaskReady, ts: float) -> list[SpanRecord]:
        step = self._step(event.task)
        if step.ready_s is not None:  # a resumed run says it again
            return []
        step.ready_s, step.width = ts, event.width
        if self.limits.is_wide(event.width):
            step.sample = MapSample(self.limits)
        return self._end_step(step, TaskState.succeeded, Cause.ran, None, ts) if event.width == 0 else []

    def _task_finished(self, event: TaskFinished, ts: float) -> list[SpanRecord]:
        step = self._step(event.task)
        if event.map_index is not None:
            return self._end_instance(step, event.map_index, event.state, event.cause, event.error, ts)
        if step.width is not None:
            left = step.width - step.results.total()
            step.results[names.result_of(event.state, event.cause)] += left
            if step.sample is not None:
                step.sample.omit(left)
        if step.width is None and None in step.instances:
            return self._end_instance(step, None, event.state, event.cause, event.error, ts)
        return self._end_step(step, event.state, event.cause, event.error, ts)

    def _end_step(
        self, step: _Step, state: TaskState, cause: Cause, error: ErrorRecord | None, ts: float
    ) -> list[SpanRecord]:
        """A mapped step as a whole, or a step that never had an attempt."""
        if step.is_over:
            return []
        step.is_over = True
        spans = [] if step.sample is None else step.sample.rest()
        facts = self._task_facts(step, None, names.result_of(state, cause))
        if step.width is not None or step.results:
            facts |= self._map_facts(step)
            failed = any(step.results[result] for result in _FAILURES)
        else:
            failed = state is TaskState.failed
        since_s = ts if step.ready_s is None else step.ready_s
        status = status_of(failed, cause, error, _how_many_failed(step))
        if failed and step.width is None and not step.results:
            facts[names.ERROR_TYPE] = names.error_type(cause, error)
        spans.append(self._task_span(step, None, since_s, ts, facts, status))
        return spans

    def _map_facts(self, step: _Step) -> Facts:
        facts: Facts = {names.MAP_WIDTH: step.width or step.results.total()}
        facts |= {names.map_count(result): count for result, count in step.results.items() if count}
        if step.retried:
            facts[names.MAP_RETRIED] = step.retried
        if step.sample is not None:
            facts[names.MAP_OMITTED] = step.sample.omitted
        worst = next((one for one in _WORST_FIRST if step.results[one]), names.SUCCESS)
        return facts | {names.TASK_RESULT: worst}

    # -- instances --------------------------------------------------------------------------------------------------

    def _end_instance(
        self,
        step: _Step,
        map_index: int | None,
        state: TaskState | AttemptState,
        cause: Cause,
        error: ErrorRecord | None,
        ts: float,
    ) -> list[SpanRecord]:
        instance = step.instances.pop(map_index, None) or _Instance(ts)
        failed = state.value == "failed"
        result = names.result_of(state, cause)
        facts = self._task_facts(step, map_index, result)
        if failed:
            facts[names.ERROR_TYPE] = names.error_type(cause, error)
        span = self._task_span(step, map_index, instance.since_s, ts, facts, status_of(failed, cause, error))
        if map_index is None:
            step.is_over = True
            return [*instance.held, span]
        return self._end_of_map_instance(step, instance, span, failed=failed, result=result)

    def _end_of_map_instance(
        self, step: _Step, instance: _Instance, span: SpanRecord, *, failed: bool, result: str
    ) -> list[SpanRecord]:
        retried = instance.attempts > 1
        step.results[result] += 1
        step.retried += retried
        spans = [*instance.held, span]
        if step.sample is not None:
            if instance.attempts:
                ran_s = sum(attempt.ended_s - attempt.started_s for attempt in instance.held)
                spans = step.sample.offer(spans, ran_s, failed=failed, retried=retried)
            else:
                step.sample.omit(1)
                spans = []
        if step.results.total() == step.width:
            spans += self._end_step(step, TaskState.succeeded, Cause.ran, None, span.ended_s)
        return spans

    def _task_facts(self, step: _Step, map_index: int | None, result: str) -> Facts:
        run_id = self._ids.run_id
        name = step.task.name
        facts: Facts = {
            names.TASK: name,
            names.TASK_RUN_ID: f"{run_id}/{name}" if map_index is None else f"{run_id}/{name}[{map_index}]",
            names.TASK_RESULT: result,
        }
        if map_index is not None:
            facts[names.MAP_INDEX] = map_index
        return facts

    def _task_span(
        self,
        step: _Step,
        map_index: int | None,
        since_s: float,
        ended_s: float,
        facts: Facts,
        status: Failed | None,
    ) -> SpanRecord:
        whole = map_index is None
        links = self._upstream_links(step, facts) if whole else ()
        return SpanRecord(
            name=f"task {step.task.name}",
            span_id=step.span_id if whole else self._ids.task(step.task.name, map_index),
            parent_id=self._joined.own.span_id if whole else step.span_id,
            started_s=min(since_s, ended_s),
            ended_s=ended_s,
            attributes=facts,
            links=links,
            status=status,
        )

    def _upstream_links(self, step: _Step, facts: Facts) -> tuple[LinkRecord, ...]:
        upstream = step.task.upstream
        if len(upstream) > MAX_LINKS:
            facts[names.LINKS_OMITTED] = len(upstream) - MAX_LINKS
        return tuple(LinkRecord(self._step(name).span_id, _UPSTREAM) for name in upstream[:MAX_LINKS])

    # -- attempts ---------------------------------------------------------------------------------------------------

    def _attempt_started(self, event: AttemptStarted, ts: float, waited_since_s: float) -> list[SpanRecord]:
        step = self._step(event.task)
        instance = self._instance(step, event.map_index, waited_since_s)
        spans: list[SpanRecord] = []
        if instance.running is not None:
            spans = self._cut_short(step, event.map_index, instance, Cause.lost, self._last_s)
        instance.running = _Open(event.attempt, ts, waited_since_s, event.executor)
        return spans

    def _attempt_finished(self, event: AttemptFinished, ts: float) -> list[SpanRecord]:
        step = self._step(event.task)
        if step.sample is not None and self._is_dull(step, step.sample, event, ts):
            return self._count_dull(step, step.sample, event, ts)
        instance = self._instance(step, event.map_index, event.started or ts)
        running = instance.running
        if running is None or running.number != event.attempt:
            running = _Open(event.attempt, event.started or ts, event.started or ts, step.task.executor)
        spans = self._attempt_span(step, event, instance, running, ts)
        if event.final:
            spans += self._end_instance(step, event.map_index, event.state, event.cause, event.error, ts)
        return spans

    def _is_dull(self, step: _Step, sample: MapSample, event: AttemptFinished, ts: float) -> bool:
        """An instance of a wide map that nobody will look at; no span is built of it."""
        if event.state is not AttemptState.succeeded or not event.final or not sample.is_quick(ts - event.started):
            return False
        instance = step.instances.get(event.map_index)
        return instance is None or not instance.attempts

    def _count_dull(self, step: _Step, sample: MapSample, event: AttemptFinished, ts: float) -> list[SpanRecord]:
        step.instances.pop(event.map_index, None)
        step.results[names.SUCCESS] += 1
        sample.omit(1)
        if step.results.total() != step.width:
            return []
        return self._end_step(step, TaskState.succeeded, Cause.ran, None, ts)

    def _cut_short(
        self, step: _Step, map_index: int | None, instance: _Instance, cause: Cause, ts: float
    ) -> list[SpanRecord]:
        """An attempt whose end nobody saw: its owner was killed, or the run was."""
        running = instance.running
        assert running is not None
        event = AttemptFinished(
            task=step.task.name,
            map_index=map_index,
            attempt=running.number,
            state=AttemptState.cancelled if cause is Cause.cancelled else AttemptState.failed,
            cause=cause,
            started=running.started_s,
        )
        return self._attempt_span(step, event, instance, running, ts)

    def _attempt_span(
        self, step: _Step, event: AttemptFinished, instance: _Instance, running: _Open, ts: float
    ) -> list[SpanRecord]:
        """Of an attempt that has ended; in a wide map it is held until its instance ends."""
        name, map_index, number = step.task.name, event.map_index, event.attempt
        started_s = min(event.started or running.started_s, ts)
        failed = event.state is AttemptState.failed
        span = SpanRecord(
            name=f"attempt {name}",
            span_id=self._ids.attempt(name, map_index, number),
            parent_id=step.span_id if map_index is None else self._ids.task(name, map_index),
            started_s=started_s,
            ended_s=ts,
            attributes=self._attempt_facts(step, event, running, started_s),
            links=self._retry_links(name, map_index, instance.last_number),
            events=exception_of(event.error, ts) if failed and event.error is not None else (),
            status=status_of(failed, event.cause, event.error),
        )
        instance.running, instance.last_number = None, number
        instance.attempts += 1
        if step.sample is None:
            return [span]
        instance.held.append(span)
        return []

    def _attempt_facts(self, step: _Step, event: AttemptFinished, running: _Open, started_s: float) -> Facts:
        facts: Facts = {
            names.ATTEMPT: event.attempt,
            names.QUEUE_S: max(started_s - running.waited_since_s, 0.0),
            names.CAUSE: event.cause.value,
            names.FUNCTION: step.task.task.replace(":", "."),
            names.EXECUTOR: running.executor,
        }
        if self._header is not None and step.task.task.partition(":")[0] == self._header.module:
            facts[names.FILE] = self._header.file
        if event.state is AttemptState.failed:
            facts[names.ERROR_TYPE] = names.error_type(event.cause, event.error)
        if event.peak_rss_bytes is not None:
            facts[names.PEAK_BYTES] = event.peak_rss_bytes
        if event.cpu_s is not None:
            facts[names.CPU_S] = event.cpu_s
        return facts | worker_facts(event.worker)

    def _retry_links(self, name: str, map_index: int | None, number: int) -> tuple[LinkRecord, ...]:
        return (LinkRecord(self._ids.attempt(name, map_index, number), _RETRY_OF),) if number else ()

    def _instance(self, step: _Step, map_index: int | None, since_s: float) -> _Instance:
        found = step.instances.get(map_index)
        if found is None:
            found = step.instances[map_index] = _Instance(since_s)
        return found

    def _step(self, name: str) -> _Step:
        found = self._steps.get(name)
        if found is None:
            task = RecordedTask(name=name, task=name, executor="")
            found = self._steps[name] = _Step(task, self._ids.task(name))
        return found


def _how_many_failed(step: _Step) -> str:
    failed = sum(step.results[result] for result in _FAILURES)
    return f"{failed} of {step.width} instances failed" if failed else ""


_FAILURES: Final = ("error", "failure", "timeout")
_UPSTREAM: Final[Mapping[str, str]] = {names.LINK: "upstream"}
_RETRY_OF: Final[Mapping[str, str]] = {names.LINK: "retry_of"}
_WORST_FIRST: Final = (*_FAILURES, names.CANCELLATION, "skip")


def traced(records: Iterable[Record], limits: MapLimits = MAP_LIMITS) -> list[SpanRecord]:
    """Every span of a run."""
    fold, readiness = TraceFold(limits), Readiness()
    return [span for record in records for span in fold.apply(record, readiness.apply(record))]


def parent_for(
    ids: SpanIds, step: str, map_index: int | None, number: int, width: int | None, limits: MapLimits = MAP_LIMITS
) -> int:
    """The span inside which the user's own spans of an attempt nest: the attempt's.

    In a wide map, where few attempts have a span, that of the whole map: no span's parent may be missing.
    """
    return ids.task(step) if limits.is_wide(width) else ids.attempt(step, map_index, number)
