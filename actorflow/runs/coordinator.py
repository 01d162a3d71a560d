"""The coordinator: carries out what `RunState` decides. It dispatches attempts to stages and hears their reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import assert_never

import anyio

from actorflow.actors.actor import Actor
from actorflow.actors.handler import handler
from actorflow.actors.ref import ActorRef
from actorflow.runs.attempt import Report
from actorflow.runs.executor import Executor
from actorflow.runs.instructions import CancelAttempt, Finish, Instruction, Record, ScheduleRetry, StartAttempt
from actorflow.runs.journal import Journal
from actorflow.runs.run_state import RunState
from actorflow.runs.stage import Stage


class Coordinator(Actor):
    """One run. `finished` is called once, with the decision that ended it; once `is_over`, nothing more is recorded."""

    def __init__(
        self,
        state: RunState,
        journal: Journal,
        executors: Mapping[str, Executor],
        finished: Callable[[Finish], None],
        is_over: Callable[[], bool],
    ) -> None:
        self.state = state
        self.journal = journal
        self.executors = executors
        self.finished = finished
        self.is_over = is_over
        self.stages: dict[str, ActorRef[Stage]] = {}
        self.recorded_seq = 0

    @handler
    async def begin(self) -> None:
        await self._carry_out(self.state.begin())

    @handler
    async def report(self, report: Report) -> None:
        instructions = self.state.attempt_ended(
            report.step,
            report.map_index,
            report.number,
            report.outcome,
            started_at=report.started_at,
            now_s=anyio.current_time(),
        )
        await self._carry_out(instructions)

    @handler
    async def retry_due(self, step: str, map_index: int | None) -> None:
        await self._carry_out(self.state.retry_due(step, map_index))

    @handler
    async def cancel(self, reason: str) -> None:
        await self._carry_out(self.state.cancel(reason))

    async def _carry_out(self, instructions: list[Instruction]) -> None:
        if self.is_over():
            return
        for instruction in instructions:
            match instruction:
                case Record(event):
                    self.recorded_seq = self.journal.append(event)
                case StartAttempt(attempt, executor):
                    stage = self._stage(attempt.step, executor)
                    await stage.tell(Stage.start, attempt, self.recorded_seq)
                case CancelAttempt(step, map_index, number):
                    await self.stages[step].tell(Stage.cancel, map_index, number)
                case ScheduleRetry(step, map_index, delay_s):
                    self.context.timers.after(delay_s, Coordinator.retry_due, step, map_index)
                case Finish():
                    self.finished(instruction)
                case _:
                    assert_never(instruction)
        await self.journal.room()

    def _stage(self, step: str, executor: str) -> ActorRef[Stage]:
        stage = self.stages.get(step)
        if stage is None:
            factory = partial(Stage, self.executors[executor], self.journal, self._hear)
            stage = self.stages[step] = self.context.spawn_nowait(factory, name=step)
        return stage

    async def _hear(self, report: Report) -> None:
        await self.context.ref.tell(Coordinator.report, report)
