"""The run, decided purely: events in, instructions out. No I/O, no clock and no loop; time and randomness come in.

`RunState` knows every task instance of one run by (step, map index). The shell (coordinator.py) journals what it is
told to record, starts and cancels the attempts it is told to, and reports how they ended. (The idea of deciding
apart from acting is that of dask/distributed's worker state machine.)

What is ready is decided in progress.py, what starts next in lines.py and admission.py, what follows a failure in
retry.py, what an attempt is called with in step_inputs.py. All that is decided follows from the events that are
recorded: attempt numbers, budgets spent, pauses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from random import Random

from actorflow.flows.durations import format_duration
from actorflow.flows.plan import Plan
from actorflow.runs.decision import Decision
from actorflow.runs.events import (
    AttemptFinished,
    AttemptStarted,
    RunCancelling,
    RunPaused,
    RunPausing,
    RunResumed,
)
from actorflow.runs.executor import AttemptSpec, AttemptState, Cause, Outcome
from actorflow.runs.instructions import (
    CancelAttempt,
    CheckRunTime,
    Finish,
    Instruction,
    ScheduleRetry,
    StartAttempt,
)
from actorflow.runs.lines import Lines
from actorflow.runs.progress import Progress
from actorflow.runs.restore import Past
from actorflow.runs.retry import named, next_attempt_in_s
from actorflow.runs.run_clock import RunClock
from actorflow.runs.run_outcome import failing_steps, what_failed
from actorflow.runs.stage_state import StageState
from actorflow.runs.states import RunStatus, TaskState
from actorflow.runs.step_inputs import StepInputs
from actorflow.runs.time_limit import deadline_exceeded, run_timed_out, waited_too_long
from actorflow.runs.values import Value

_GOES_ON = frozenset({RunStatus.running, RunStatus.pausing, RunStatus.paused})
_FINAL = {state: TaskState(state.value) for state in AttemptState}
_MAY_FINISH = frozenset({RunStatus.running, RunStatus.pausing, RunStatus.cancelling})


class RunState:
    """One run. Each method takes one event and returns what the shell must do, in order.

    slots: how many attempts may run at once, by executor; ahead: how many more of those that take little time.
    in_order: executors that take steps in topological order. stale_reports counts outcomes refused because their
    attempt was no longer the one awaited.
    """

    def __init__(
        self,
        plan: Plan,
        run_id: str,
        *,
        slots: Mapping[str, int],
        rng: Random,
        in_order: Iterable[str] = ("inline",),
        ahead: Mapping[str, int] | None = None,
    ) -> None:
        self.plan = plan
        self.run_id = run_id
        self.status = RunStatus.queued
        self.stale_reports = 0
        self._rng = rng
        self._clock = RunClock(plan.caps.timeout_s)
        self._timed_out = False
        self._fails_fast = False
        self._lines = Lines(slots, in_order, plan.caps, ahead)
        self._stages = {planned.step.name: StageState(planned, position) for position, planned in enumerate(plan.steps)}
        self._cleanups = [stage for stage in self._stages.values() if stage.step.cleanup]
        self._running = 0
        params = {name: Value.of(bound.value) for name, bound in plan.params.items()}
        self._inputs = StepInputs(params, self._stages)
        self._decision = Decision()
        self._progress = Progress(self._stages, self._lines, self._inputs, self._decision)
        for stage in self._stages.values():
            stage.connect(self._stages)

    # -- events: each at `now_s`, seconds of a monotonic clock -----------------------------------------------------

    def begin(self, *, now_s: float) -> list[Instruction]:
        """The run starts: everything without an upstream becomes ready."""
        self._decision.now_s = now_s
        self.status = RunStatus.running
        self._clock.begin(now_s)
        self._watch_run()
        self._progress.begin()
        return self._answer()

    def take_up(self, past: Past, *, now_s: float, pause: str = "", cancel: str = "") -> list[Instruction]:
        """The run goes on from what is recorded of it; nothing that is committed runs again.

        pause, cancel: who asked that it be paused, or ended, before anything starts; "" for nobody.
        """
        self._decision.now_s = now_s
        if past.failure is not None:
            self._decision.failures[past.failure[0]] = past.failure
        self._clock.begin(now_s - past.used_s)
        for name, stage in past.stages.items():
            if name in self._stages:
                self._stages[name].past = stage
        self._progress.begin()
        if pause or cancel:
            self.status = RunStatus.paused  # so that all is judged, and nothing starts
            self._work_off()
        self.status = RunStatus.running
        if cancel:
            self._fails_fast = self.plan.fail_fast and past.failure is not None
            return self.cancel(cancel)
        self._watch_run()
        return self.pause(pause, now_s=now_s) if pause else self._answer()

    def attempt_ended(
        self, step: str, map_index: int | None, number: int, outcome: Outcome, *, started_at: float, now_s: float
    ) -> list[Instruction]:
        """An attempt ended. started_at: epoch seconds, for the record."""
        stage = self._stages[step]
        index = map_index or 0
        state = stage.state(index)
        if state not in (TaskState.running, TaskState.cancelling) or stage.attempt_number(index) != number:
            self.stale_reports += 1
            return []
        self._decision.now_s = now_s
        self._lines.ended(stage, index, outcome.took_s)
        self._running -= 1
        stage.in_flight -= 1
        if stage.taken_back and self._take_back(stage, index, number, outcome, started_at):
            return self._answer()
        if outcome.state is not AttemptState.succeeded and index in stage.late:
            outcome = self._late(stage, index, outcome)
        retry_in_s = self._retry_in_s(stage, index, outcome)
        if outcome.state is AttemptState.failed and retry_in_s is None:
            outcome = named(outcome, stage.spent_of(index))
        self._record_end(stage, index, number, outcome, started_at, retry_in_s)
        if retry_in_s is not None:
            self._wait_for_retry(stage, index, outcome, retry_in_s)
        else:
            final = _FINAL[outcome.state]
            if final is TaskState.failed:
                self._decision.failed(stage, outcome.cause, outcome.error)
            self._progress.settle(stage, index, final, outcome.value)
        self._lines.offer(stage)
        return self._answer()

    def retry_due(self, step: str, map_index: int | None, *, now_s: float) -> list[Instruction]:
        """The wait before the next attempt is over."""
        self._decision.now_s = now_s
        stage = self._stages[step]
        index = map_index or 0
        if stage.state(index) is TaskState.up_for_retry and (self.status in _GOES_ON or stage.step.cleanup):
            self._progress.queue(stage, index)
        return self._answer()

    def limits_due(self, step: str, *, now_s: float) -> list[Instruction]:
        """A time limit of some instance of the step may be over."""
        self._decision.now_s = now_s
        stage = self._stages[step]
        stage.check_s = None
        if self.status is not RunStatus.running:
            return []
        for index in stage.over_deadline(now_s):
            self._end_late(stage, index)
        for index in stage.waited_too_long(now_s):
            self._progress.fail_unstarted(stage, index, waited_too_long(stage.label(index), stage.step.queue_timeout_s))
        self._decision.watch(stage)
        return self._answer()

    def run_time_due(self, *, now_s: float) -> list[Instruction]:
        """The timeout of the run may be over."""
        self._decision.now_s = now_s
        left_s = self._clock.left_s(now_s)
        if left_s is None or self.status is not RunStatus.running:
            return []
        if left_s > 0:
            self._watch_run()
            return self._answer()
        self._timed_out = True
        self._end(RunCancelling(f"its timeout of {format_duration(self._clock.timeout_s or 0.0)}", Cause.timed_out))
        return self._answer()

    def cancel(self, reason: str) -> list[Instruction]:
        """Nothing but cleanups starts from here on; what runs is ended, then the run is."""
        if self.status not in _GOES_ON:
            return []
        self._end(RunCancelling(reason))
        return self._answer()

    def pause(self, reason: str, *, now_s: float, now: bool = False) -> list[Instruction]:
        """Nothing starts until `resume`; what runs ends by itself, or `now`: it is taken back and spends nothing."""
        self._decision.now_s = now_s
        may_pause = self.status is RunStatus.running or (now and self.status is RunStatus.pausing)
        if not may_pause:
            return []
        self.status = RunStatus.pausing
        self._clock.pause(now_s)
        self._decision.record(RunPausing(reason, now))
        if now:
            self._take_all_back()
        return self._answer()

    def resume(self, reason: str, *, now_s: float) -> list[Instruction]:
        """A pause is over, and counts against no limit."""
        self._decision.now_s = now_s
        if self.status not in (RunStatus.pausing, RunStatus.paused):
            return []
        self.status = RunStatus.running
        self._decision.record(RunResumed(reason))
        paused_s = self._clock.resume(now_s)
        self._watch_run()
        for stage in self._stages.values():
            stage.shift_limits(paused_s)
            self._decision.watch(stage)
        return self._answer()

    def _retry_in_s(self, stage: StageState, index: int, outcome: Outcome) -> float | None:
        goes_on = self.status in _GOES_ON or stage.step.cleanup
        if outcome.state is not AttemptState.failed or not goes_on or index in stage.late:
            return None
        return next_attempt_in_s(stage.step, outcome, stage.spent_of(index), self._rng)

    def _wait_for_retry(self, stage: StageState, index: int, outcome: Outcome, retry_in_s: float) -> None:
        stage.wait_for_retry(index)
        deadline_s = stage.deadline_s(index)
        if deadline_s is not None and self._decision.now_s + retry_in_s >= deadline_s:
            limit_s = stage.step.deadline_s or 0.0
            error = deadline_exceeded(stage.label(index), limit_s, last=outcome.error)
            self._progress.fail_unstarted(stage, index, error)
            return
        self._decision.say(ScheduleRetry(stage.name, stage.map_index(index), retry_in_s))

    def _record_end(
        self,
        stage: StageState,
        index: int,
        number: int,
        outcome: Outcome,
        started_at: float,
        retry_in_s: float | None,
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
        self._decision.record(event)

    def _end(self, event: RunCancelling) -> None:
        """Nothing but cleanups starts any more: end what else runs, and settle the rest."""
        self.status = RunStatus.cancelling
        self._decision.record(event)
        for stage in self._stages.values():
            for index in stage.indices_in(TaskState.running) if not stage.step.cleanup else ():
                self._cancel_attempt(stage, index)
        for stage in self._stages.values():
            self._progress.cancel_unstarted(stage)

    def _cancel_attempt(self, stage: StageState, index: int) -> None:
        stage.set(index, TaskState.cancelling)
        self._decision.say(CancelAttempt(stage.name, stage.map_index(index), stage.attempt_number(index)))

    # -- limits of time ---------------------------------------------------------------------------------------------

    def _watch_run(self) -> None:
        left_s = self._clock.left_s(self._decision.now_s)
        if left_s is not None:
            self._decision.say(CheckRunTime(left_s))

    def _end_late(self, stage: StageState, index: int) -> None:
        """The deadline of an instance is over: end what runs of it, start nothing more."""
        match stage.state(index):
            case TaskState.running:
                stage.late.add(index)
                self._cancel_attempt(stage, index)
            case TaskState.queued | TaskState.up_for_retry:
                error = deadline_exceeded(stage.label(index), stage.step.deadline_s or 0.0)
                self._progress.fail_unstarted(stage, index, error)
            case _:
                pass

    def _late(self, stage: StageState, index: int, outcome: Outcome) -> Outcome:
        error = deadline_exceeded(stage.label(index), stage.step.deadline_s or 0.0)
        return replace(outcome, state=AttemptState.failed, cause=Cause.timed_out, error=error)

    # -- pauses -----------------------------------------------------------------------------------------------------

    def _take_all_back(self) -> None:
        for stage in self._stages.values():
            for index in stage.indices_in(TaskState.running):
                stage.taken_back.add(index)
                self._decision.say(CancelAttempt(stage.name, stage.map_index(index), stage.attempt_number(index)))

    def _take_back(self, stage: StageState, index: int, number: int, outcome: Outcome, started_at: float) -> bool:
        """True if a pause ended that attempt: it spends nothing, and the instance is queued again."""
        if index not in stage.taken_back:
            return False
        stage.taken_back.discard(index)
        if outcome.state is not AttemptState.cancelled or self.status not in _GOES_ON or index in stage.late:
            return False
        self._record_end(stage, index, number, outcome, started_at, retry_in_s=0.0)
        stage.queue_again(index, self._decision.now_s)
        self._decision.watch(stage)
        self._lines.offer(stage)
        return True

    # -- dispatch -----------------------------------------------------------------------------------------------

    def _start(self, stage: StageState, index: int, cpu_ids: tuple[int, ...]) -> None:
        number = stage.begin_attempt(index)
        self._running += 1
        map_index = stage.map_index(index)
        step = stage.step
        quota_bytes = step.memory_bytes if step.memory_growth is None else stage.quota_bytes(index)
        attempt = AttemptSpec(
            run_id=self.run_id,
            step=stage.name,
            map_index=map_index,
            number=number,
            task=step.task,
            arguments=self._inputs.arguments(stage, index),
            timeout_s=step.timeout_s,
            memory_bytes=quota_bytes,
            width=stage.map_width,
            queue_timeout_s=step.queue_timeout_s,
            queue_left_s=None if step.queue_timeout_s is None else stage.waited(index, self._decision.now_s),
            cpu_ids=cpu_ids,
        )
        self._decision.record(AttemptStarted(stage.name, map_index, number, stage.executor, quota_bytes))
        self._decision.say(StartAttempt(attempt, stage.executor))

    def _answer(self) -> list[Instruction]:
        self._work_off()
        if self._running == 0:
            if self._progress.is_over and self.status in _MAY_FINISH:
                self._finish()
            elif self.status is RunStatus.pausing:
                self.status = RunStatus.paused
                self._decision.record(RunPaused())
        return self._decision.taken()

    def _work_off(self) -> None:
        self._progress.follow_up()
        if self.plan.fail_fast and self._decision.failures and self.status in _GOES_ON:
            self._fails_fast = True
            self._end(RunCancelling(f"fail-fast, since {next(iter(self._decision.failures))} failed", Cause.error))
            self._progress.follow_up()
        if self.status is RunStatus.running or (self.status is RunStatus.cancelling and self._may_clean_up()):
            for stage, index, cpu_ids in self._lines.startable():
                self._start(stage, index, cpu_ids)

    def _may_clean_up(self) -> bool:
        """True once nothing but cleanups runs any more: they are to find what they tidy up at rest."""
        return self._running == sum(stage.in_flight for stage in self._cleanups)

    def _finish(self) -> None:
        if self._timed_out:
            self.status = RunStatus.failed
            over = run_timed_out(self._clock.timeout_s or 0.0)
            self._decision.say(Finish(RunStatus.failed, Cause.timed_out, None, over))
        elif self.status is RunStatus.cancelling and not self._fails_fast:
            self.status = RunStatus.cancelled
            self._decision.say(Finish(RunStatus.cancelled, Cause.cancelled, None, None))
        elif (failing := failing_steps(self._stages.values())) or self._fails_fast:
            step, cause, error = what_failed(failing, self._decision.failures)
            self.status = RunStatus.failed
            self._decision.say(Finish(RunStatus.failed, cause, None, error, failed_step=step))
        else:
            self.status = RunStatus.succeeded
            self._decision.say(Finish(RunStatus.succeeded, Cause.ran, self._inputs.value(self.plan.graph.result), None))
