"""Progress: which instances of a run are ready, which are over, and what the end of one sets free. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from actorflow.runs.decision import Decision
from actorflow.runs.events import TaskFinished, TaskReady
from actorflow.runs.executor import Cause, ErrorRecord
from actorflow.runs.lines import Lines
from actorflow.runs.restore import PastStage
from actorflow.runs.retry import lost_too_often
from actorflow.runs.stage_state import StageState
from actorflow.runs.states import TaskState
from actorflow.runs.step_inputs import StepInputs
from actorflow.runs.triggers import Verdict, count, judge
from actorflow.runs.values import Value


class Progress:
    """The steps of one run. Whatever becomes ready stands in `lines`; what is to be recorded is said to `decision`."""

    def __init__(self, stages: Mapping[str, StageState], lines: Lines, inputs: StepInputs, decision: Decision) -> None:
        self._stages = stages
        self._lines = lines
        self._inputs = inputs
        self._decision = decision
        self._open_stages = len(stages)
        self._to_open: deque[StageState] = deque()
        self._to_judge: deque[tuple[StageState, int]] = deque()

    @property
    def is_over(self) -> bool:
        """True once every step is terminal."""
        return self._open_stages == 0

    def begin(self) -> None:
        """What has no upstream can be judged."""
        self._to_open.extend(stage for stage in self._stages.values() if stage.awaited == 0)

    def follow_up(self) -> None:
        """Judge what an event has set free; by lists and not by calls, since a chain may be thousands long."""
        while self._to_open or self._to_judge:
            if self._to_judge:
                self._judge_element(*self._to_judge.popleft())
            else:
                self._open(self._to_open.popleft())

    # -- readiness ----------------------------------------------------------------------------------------------

    def _open(self, stage: StageState) -> None:
        """Every upstream that is awaited as a whole is terminal: judge the step, and queue what may run."""
        if stage.terminal or stage.width is not None:
            return
        past = stage.past
        if past is not None and past.whole is not None:
            stage.finish_whole(past.whole)
            self._close(stage)
            return
        if not stage.planned.is_selected:
            self._finish_whole(stage, TaskState.skipped, Cause.selected_out)
            return
        source = stage.elementwise
        if source is not None:
            self._open_elementwise(stage, source)
            return
        if past is None or not (past.opened or past.results):
            verdict = judge(stage.step.trigger_rule, count(upstream.outcome() for upstream in stage.upstream))
            if verdict is not Verdict.run:
                self._finish_unstarted(stage, verdict)
                return
        if stage.step.mapped is None:
            stage.open(None)
        elif not self._open_map(stage):
            return
        self._tell_opened(stage)
        stage.queue_all(self._decision.now_s)
        self._decision.watch(stage)
        self._lines.offer(stage)
        self._wake_elementwise(stage)
        if stage.unsettled == 0:
            self._close(stage)

    def _open_map(self, stage: StageState) -> bool:
        past = stage.past
        if past is not None and past.is_over:
            stage.open(past.width)
            return True
        items = self._inputs.resolve(stage.mapped_input())
        if not isinstance(items, Sequence | set | frozenset | Mapping) or isinstance(items, str | bytes):
            self._refuse_map(stage, f"it is {type(items).__name__}. Return a list from the upstream task.")
            return False
        stage.items = list(cast("Iterable[object]", items))
        if past is not None and past.width is not None and past.width != len(stage.items):
            recorded = f"it has {len(stage.items)} items, and had {past.width} when some of them were committed."
            self._refuse_map(stage, f"{recorded} Replay the run.")
            return False
        stage.open(len(stage.items))
        return True

    def _tell_opened(self, stage: StageState) -> None:
        """Record that the step is ready, unless that is recorded; what is recorded of its instances is so again."""
        past = stage.past
        if past is None or not past.opened:
            self._decision.record(TaskReady(task=stage.name, width=stage.map_width))
        if past is None:
            return
        if past.reused:
            self._tell_reused(stage, past)
        stage.put_back(past)
        for index in stage.lost_for_good():
            error = lost_too_often(stage.label(index), stage.spent_of(index))
            self._decision.failed(stage, Cause.lost, error)
            state = TaskState.failed
            self._decision.record(TaskFinished(stage.name, stage.map_index(index), state, Cause.lost, error))
            self.settle(stage, index, state, None)

    def _tell_reused(self, stage: StageState, past: PastStage) -> None:
        for index, value in sorted(past.results.items()):
            event = TaskFinished(stage.name, stage.map_index(index), TaskState.succeeded, Cause.reused, None, value)
            self._decision.record(event)

    def _open_elementwise(self, stage: StageState, source: StageState) -> None:
        """A map of a map: index i needs index i of `source` and every other upstream as a whole."""
        if source.width is None:
            if source.terminal:
                verdict = judge(stage.step.trigger_rule, count(upstream.outcome() for upstream in stage.upstream))
                self._finish_unstarted(stage, Verdict.skip if verdict is Verdict.run else verdict)
            return
        stage.open(source.width)
        self._tell_opened(stage)
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
        verdict = judge(stage.step.trigger_rule, count([source.judged(index), *others]))
        if verdict is Verdict.run:
            self.queue(stage, index)
            return
        state = _unstarted_state(verdict)
        self._decision.record(TaskFinished(stage.name, stage.map_index(index), state, _unstarted_cause(verdict)))
        self.settle(stage, index, state, None)

    def queue(self, stage: StageState, index: int) -> None:
        stage.queue(index, self._decision.now_s)
        self._decision.watch(stage)
        self._lines.offer(stage)

    # -- endings ------------------------------------------------------------------------------------------------

    def settle(self, stage: StageState, index: int, state: TaskState, value: Value | None) -> None:
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
        self._finish_whole(stage, _unstarted_state(verdict), _unstarted_cause(verdict))

    def _finish_whole(self, stage: StageState, state: TaskState, cause: Cause) -> None:
        self._decision.record(TaskFinished(stage.name, None, state, cause))
        stage.finish_whole(state)
        self._close(stage)

    def _refuse_map(self, stage: StageState, why: str) -> None:
        message = f"{stage.name} maps over {stage.step.mapped!r}, which must be a list when the run gets there; {why}"
        error = ErrorRecord(type="builtins:TypeError", message=message)
        self._decision.record(TaskFinished(stage.name, None, TaskState.failed, Cause.bad_input, error))
        self._decision.failed(stage, Cause.bad_input, error)
        stage.finish_whole(TaskState.failed)
        self._close(stage)

    def cancel_unstarted(self, stage: StageState) -> None:
        """What of the step does not run starts no more; a cleanup does all the same."""
        if stage.terminal or stage.step.cleanup:
            return
        if stage.width is None:
            self._finish_whole(stage, TaskState.cancelled, Cause.cancelled)
            return
        stage.leave_all_lines()
        for index in stage.unstarted():
            event = TaskFinished(stage.name, stage.map_index(index), TaskState.cancelled, Cause.cancelled)
            self._decision.record(event)
            self.settle(stage, index, TaskState.cancelled, None)

    def fail_unstarted(self, stage: StageState, index: int, error: ErrorRecord) -> None:
        """An instance that waits for its turn or its retry, and whose time is over."""
        event = TaskFinished(stage.name, stage.map_index(index), TaskState.failed, Cause.timed_out, error)
        self._decision.record(event)
        self._decision.failed(stage, Cause.timed_out, error)
        stage.leave_line(index)
        self.settle(stage, index, TaskState.failed, None)


def _unstarted_state(verdict: Verdict) -> TaskState:
    return TaskState.upstream_failed if verdict is Verdict.upstream_failed else TaskState.skipped


def _unstarted_cause(verdict: Verdict) -> Cause:
    return Cause.upstream if verdict is Verdict.upstream_failed else Cause.condition
