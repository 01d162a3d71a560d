"""The run, decided purely: events in, instructions out. No I/O, no clock and no loop; time and randomness come in.

`RunState` knows every task instance of one run by (step, map index). The shell (coordinator.py) journals what it is
told to record, starts and cancels the attempts it is told to, and reports how they ended. (The idea of deciding
apart from acting is that of dask/distributed's worker state machine.)

What starts next is decided in lines.py, what an attempt is called with in step_inputs.py.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import cast

from actorflow.flows.plan import Plan
from actorflow.runs.events import AttemptFinished, AttemptStarted, RunCancelling, TaskFinished, TaskReady
from actorflow.runs.executor import AttemptSpec, AttemptState, Cause, ErrorRecord, Outcome
from actorflow.runs.instructions import CancelAttempt, Finish, Instruction, Record, ScheduleRetry, StartAttempt
from actorflow.runs.lines import Lines
from actorflow.runs.retry import next_attempt_in_s
from actorflow.runs.stage_state import StageState
from actorflow.runs.states import RunStatus, TaskState
from actorflow.runs.step_inputs import StepInputs
from actorflow.runs.triggers import Verdict, count, judge
from actorflow.runs.values import Value


class RunState:
    """One run. Each method takes one event and returns what the shell must do, in order.

    slots: how many attempts may run at once, by executor. in_order: executors that take steps in topological order.
    stale_reports counts outcomes refused because their attempt was no longer the one awaited.
    """

    def __init__(
        self,
        plan: Plan,
        run_id: str,
        *,
        slots: Mapping[str, int],
        rng: Random,
        in_order: Iterable[str] = ("inline",),
    ) -> None:
        self.plan = plan
        self.run_id = run_id
        self.status = RunStatus.queued
        self.stale_reports = 0
        self._rng = rng
        self._lines = Lines(slots, in_order)
        self._stages = {planned.step.name: StageState(planned, position) for position, planned in enumerate(plan.steps)}
        self._running = 0
        self._open_stages = len(self._stages)
        params = {name: Value.of(bound.value) for name, bound in plan.params.items()}
        self._inputs = StepInputs(params, self._stages)
        self._first_failure: tuple[str, Cause, ErrorRecord | None] | None = None
        self._to_open: deque[StageState] = deque()
        self._to_judge: deque[tuple[StageState, int]] = deque()
        self._out: list[Instruction] = []
        for stage in self._stages.values():
            stage.connect(self._stages)

    # -- events -------------------------------------------------------------------------------------------------

    def begin(self) -> list[Instruction]:
        """The run starts: everything without an upstream becomes ready."""
        self.status = RunStatus.running
        self._to_open.extend(stage for stage in self._stages.values() if stage.awaited == 0)
        return self._answer()

    def attempt_ended(
        self, step: str, map_index: int | None, number: int, outcome: Outcome, *, started_at: float, now_s: float
    ) -> list[Instruction]:
        """An attempt ended. started_at: epoch seconds, for the record; now_s: monotonic, for the budgets."""
        stage = self._stages[step]
        index = map_index or 0
        state = stage.state(index)
        if state not in (TaskState.running, TaskState.cancelling) or stage.attempt_number(index) != number:
            self.stale_reports += 1
            return []
        self._lines.ended(stage)
        self._running -= 1
        stage.in_flight -= 1
        retry_in_s = self._retry_in_s(stage, index, outcome, now_s)
        final = _final_state(outcome, retry_in_s)
        self._record_end(stage, index, number, outcome, final, retry_in_s, started_at)
        if retry_in_s is not None:
            stage.set(index, TaskState.up_for_retry)
            self._out.append(ScheduleRetry(step, map_index, retry_in_s))
        else:
            self._note_failure(stage, outcome, final)
            self._settle(stage, index, final, outcome.value)
        self._lines.offer(stage)
        return self._answer()

    def retry_due(self, step: str, map_index: int | None) -> list[Instruction]:
        """The wait before the next attempt is over."""
        stage = self._stages[step]
        index = map_index or 0
        if stage.state(index) is TaskState.up_for_retry and self.status is RunStatus.running:
            stage.queue(index)
            self._lines.offer(stage)
        return self._answer()

    def cancel(self, reason: str) -> list[Instruction]:
        """Nothing starts from here on; what runs is ended, then the run is."""
        if self.status is not RunStatus.running:
            return []
        self.status = RunStatus.cancelling
        self._out.append(Record(RunCancelling(reason=reason)))
        for stage in self._stages.values():
            for index in stage.indices_in(TaskState.running):
                stage.set(index, TaskState.cancelling)
                self._out.append(CancelAttempt(stage.name, stage.map_index(index), stage.attempt_number(index)))
        for stage in self._stages.values():
            self._cancel_unstarted(stage)
        return self._answer()

    # -- readiness ----------------------------------------------------------------------------------------------

    def _open(self, stage: StageState) -> None:
        """Every upstream that is awaited as a whole is terminal: judge the step, and queue what may run."""
        if stage.terminal or stage.width is not None:
            return
        source = stage.elementwise
        if source is not None:
            self._open_elementwise(stage, source)
            return
        verdict = judge(stage.step.trigger_rule, count(upstream.outcome() for upstream in stage.upstream))
        if verdict is not Verdict.run:
            self._finish_unstarted(stage, verdict)
            return
        if stage.step.mapped is None:
            stage.open(None)
            stage.queue(0)
        elif not self._open_map(stage):
            return
        self._out.append(Record(TaskReady(task=stage.name, width=stage.map_width)))
        self._lines.offer(stage)
        self._wake_elementwise(stage)
        if stage.unsettled == 0:
            self._close(stage)

    def _open_map(self, stage: StageState) -> bool:
        items = self._inputs.resolve(stage.mapped_input())
        if not isinstance(items, Sequence | set | frozenset | Mapping) or isinstance(items, str | bytes):
            self._refuse_map(stage, items)
            return False
        stage.items = list(cast("Iterable[object]", items))
        stage.open(len(stage.items))
        stage.queue_all()
        return True

    def _open_elementwise(self, stage: StageState, source: StageState) -> None:
        """A map of a map: index i needs index i of `source` and every other upstream as a whole."""
        if source.width is None:
            if source.terminal:
                verdict = judge(stage.step.trigger_rule, count(upstream.outcome() for upstream in stage.upstream))
                self._finish_unstarted(stage, Verdict.skip if verdict is Verdict.run else verdict)
            return
        stage.open(source.width)
        self._out.append(Record(TaskReady(task=stage.name, width=stage.map_width)))
        self._wake_elementwise(stage)
        self._to_judge.extend((stage, index) for index in range(source.width) if source.is_settled(index))
        if stage.unsettled == 0:
            self._close(stage)

    def _wake_elementwise(self, stage: StageState) -> None:
        self._to_open.extend(reader for reader in stage.elementwise_downstream if reader.awaited == 0)

    def _judge_element(self, stage: StageState, index: int) -> None:
        source = stage.elementwise
        assert source is not None
        if stage.width is None or stage.state(index) is not TaskState.pending:
            return
        others = [upstream.outcome() for upstream in stage.upstream if upstream is not source]
        verdict = judge(stage.step.trigger_rule, count([source.state(index), *others]))
        if verdict is Verdict.run:
            stage.queue(index)
            self._lines.offer(stage)
            return
        state = _unstarted_state(verdict)
        self._out.append(Record(TaskFinished(stage.name, stage.map_index(index), state, _unstarted_cause(verdict))))
        self._settle(stage, index, state, None)

    # -- endings ------------------------------------------------------------------------------------------------

    def _settle(self, stage: StageState, index: int, state: TaskState, value: Value | None) -> None:
        stage.settle(index, state, value)
        self._to_judge.extend((reader, index) for reader in stage.elementwise_downstream)
        if stage.unsettled == 0:
            self._close(stage)

    def _close(self, stage: StageState) -> None:
        """Every instance of the step is terminal: tell its downstream."""
        if stage.terminal:
            return
        stage.close()
        self._open_stages -= 1
        for downstream in stage.downstream:
            if downstream.elementwise is not stage:
                downstream.awaited -= 1
            if downstream.awaited == 0:
                self._to_open.append(downstream)
        for upstream in stage.upstream:
            upstream.release_if_read()

    def _finish_unstarted(self, stage: StageState, verdict: Verdict) -> None:
        state = _unstarted_state(verdict)
        self._out.append(Record(TaskFinished(stage.name, None, state, _unstarted_cause(verdict))))
        stage.finish_whole(state)
        self._close(stage)

    def _refuse_map(self, stage: StageState, items: object) -> None:
        error = ErrorRecord(
            type="builtins:TypeError",
            message=f"{stage.name} maps over {stage.step.mapped!r}, which must be a list when the run gets there; "
            f"it is {type(items).__name__}. Return a list from the upstream task.",
        )
        self._out.append(Record(TaskFinished(stage.name, None, TaskState.failed, Cause.bad_input, error)))
        self._first_failure = self._first_failure or (stage.name, Cause.bad_input, error)
        stage.finish_whole(TaskState.failed)
        self._close(stage)

    def _cancel_unstarted(self, stage: StageState) -> None:
        if stage.terminal:
            return
        if stage.width is None:
            self._out.append(Record(TaskFinished(stage.name, None, TaskState.cancelled, Cause.cancelled)))
            stage.finish_whole(TaskState.cancelled)
            self._close(stage)
            return
        for index in stage.unstarted():
            event = TaskFinished(stage.name, stage.map_index(index), TaskState.cancelled, Cause.cancelled)
            self._out.append(Record(event))
            self._settle(stage, index, TaskState.cancelled, None)

    def _retry_in_s(self, stage: StageState, index: int, outcome: Outcome, now_s: float) -> float | None:
        if outcome.state is not AttemptState.failed or self.status is not RunStatus.running:
            return None
        restarts = stage.restarts_of(index)
        return next_attempt_in_s(stage.step.retry, outcome, restarts, now_s=now_s, rng=self._rng)

    def _record_end(
        self,
        stage: StageState,
        index: int,
        number: int,
        outcome: Outcome,
        final: TaskState,
        retry_in_s: float | None,
        started_at: float,
    ) -> None:
        event = AttemptFinished(
            task=stage.name,
            map_index=stage.map_index(index),
            attempt=number,
            state=outcome.state,
            cause=outcome.cause,
            error=outcome.error,
            worker=outcome.worker,
            peak_rss_bytes=outcome.peak_rss_bytes,
            cpu_s=outcome.cpu_s,
            started=started_at,
            value=outcome.value,
            final=retry_in_s is None,
            retry_in_s=retry_in_s,
        )
        self._out.append(Record(event))

    def _note_failure(self, stage: StageState, outcome: Outcome, final: TaskState) -> None:
        if final is TaskState.failed and self._first_failure is None:
            self._first_failure = (stage.name, outcome.cause, outcome.error)

    # -- dispatch -----------------------------------------------------------------------------------------------

    def _start(self, stage: StageState, index: int) -> None:
        number = stage.begin_attempt(index)
        self._running += 1
        map_index = stage.map_index(index)
        attempt = AttemptSpec(
            run_id=self.run_id,
            step=stage.name,
            map_index=map_index,
            number=number,
            task=stage.step.task,
            arguments=self._inputs.arguments(stage, index),
            timeout_s=stage.step.timeout_s,
            memory_bytes=stage.step.memory_bytes,
            width=stage.map_width,
        )
        self._out.append(Record(AttemptStarted(stage.name, map_index, number, stage.executor)))
        self._out.append(StartAttempt(attempt, stage.executor))

    def _answer(self) -> list[Instruction]:
        self._work_off()
        if self._open_stages == 0 and self._running == 0 and self.status in (RunStatus.running, RunStatus.cancelling):
            self._finish()
        out, self._out = self._out, []
        return out

    def _work_off(self) -> None:
        """Follow up what an event has set free; by lists and not by calls, since a chain may be thousands long."""
        if self.status is not RunStatus.running:
            self._to_open.clear()
            self._to_judge.clear()
            return
        while self._to_open or self._to_judge:
            if self._to_judge:
                self._judge_element(*self._to_judge.popleft())
            else:
                self._open(self._to_open.popleft())
        for stage, index in self._lines.startable():
            self._start(stage, index)

    def _finish(self) -> None:
        if self.status is RunStatus.cancelling:
            self.status = RunStatus.cancelled
            self._out.append(Finish(RunStatus.cancelled, Cause.cancelled, None, None))
        elif self._first_failure is not None:
            step, cause, error = self._first_failure
            self.status = RunStatus.failed
            self._out.append(Finish(RunStatus.failed, cause, None, error, failed_step=step))
        else:
            self.status = RunStatus.succeeded
            self._out.append(Finish(RunStatus.succeeded, Cause.ran, self._inputs.value(self.plan.graph.result), None))


def _final_state(outcome: Outcome, retry_in_s: float | None) -> TaskState:
    if retry_in_s is not None:
        return TaskState.up_for_retry
    return TaskState(outcome.state.value)


def _unstarted_state(verdict: Verdict) -> TaskState:
    return TaskState.upstream_failed if verdict is Verdict.upstream_failed else TaskState.skipped


def _unstarted_cause(verdict: Verdict) -> Cause:
    return Cause.upstream if verdict is Verdict.upstream_failed else Cause.condition
