"""The coordinator: carries out what `RunState` decides. It dispatches attempts to stages and hears their reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import assert_never

import anyio

from actorflow.actors.actor import Actor
from actorflow.actors.handler import handler
from actorflow.actors.ref import ActorRef
from actorflow.runs.attempt import Report
from actorflow.runs.executor import AttemptSpec, Executor
from actorflow.runs.instructions import (
    CancelAttempt,
    CheckLimits,
    CheckRunTime,
    Finish,
    Instruction,
    Record,
    ScheduleRetry,
    StartAttempt,
)
from actorflow.runs.journal import Journal
from actorflow.runs.restore import Past
from actorflow.runs.run_state import RunState
from actorflow.runs.stage import Stage
from actorflow.runs.states import RunStatus


@dataclass(frozen=True, slots=True)
class Decided:
    """What the run has decided on a request: its status, the last row that records it, and who has been told."""

    status: RunStatus
    seq: int
    stages: tuple[ActorRef[Stage], ...]


class Coordinator(Actor):
    """One run. `finished` is called once, with the decision that ended it; once `is_over`, nothing more is recorded.

    grace_s: how long a cancelled attempt may take to end.
    """

    def __init__(
        self,
        state: RunState,
        journal: Journal,
        executors: Mapping[str, Executor],
        finished: Callable[[Finish], None],
        is_over: Callable[[], bool],
        grace_s: float,
    ) -> None:
        self.state = state
        self.journal = journal
        self.executors = executors
        self.finished = finished
        self.is_over = is_over
        self.grace_s = grace_s
        self.stages: dict[str, ActorRef[Stage]] = {}
        self.recorded_seq = 0
        self._heard: list[Report] = []

    @handler
    async def begin(self) -> None:
        # A task may take the machine down at once: what is known of the run must be there to be taken up.
        await self.journal.synced(self.journal.last_seq)
        await self._carry_out(self.state.begin(now_s=anyio.current_time()))

    @handler
    async def take_up(self, past: Past, pause: str, cancel: str) -> None:
        await self._carry_out(self.state.take_up(past, now_s=anyio.current_time(), pause=pause, cancel=cancel))

    @handler
    async def take_reports(self) -> None:
        """All that were heard since the last time: under load many attempts cost one message."""
        heard, self._heard = self._heard, []
        now_s = anyio.current_time()
        instructions: list[Instruction] = []
        for report in heard:
            instructions += self.state.attempt_ended(
                report.step,
                report.map_index,
                report.number,
                report.outcome,
                started_at=report.started_at,
                now_s=now_s,
            )
        await self._carry_out(instructions)

    @handler
    async def retry_due(self, step: str, map_index: int | None) -> None:
        await self._carry_out(self.state.retry_due(step, map_index, now_s=anyio.current_time()))

    @handler
    async def limits_due(self, step: str) -> None:
        await self._carry_out(self.state.limits_due(step, now_s=anyio.current_time()))

    @handler
    async def run_time_due(self) -> None:
        await self._carry_out(self.state.run_time_due(now_s=anyio.current_time()))

    @handler
    async def cancel(self, reason: str) -> Decided:
        return await self._decide(self.state.cancel(reason))

    @handler
    async def pause(self, reason: str, now: bool) -> Decided:
        return await self._decide(self.state.pause(reason, now_s=anyio.current_time(), now=now))

    @handler
    async def resume(self, reason: str) -> Decided:
        return await self._decide(self.state.resume(reason, now_s=anyio.current_time()))

    async def _decide(self, instructions: list[Instruction]) -> Decided:
        await self._carry_out(instructions)
        return Decided(self.state.status, self.recorded_seq, tuple(self.stages.values()))

    async def _carry_out(self, instructions: list[Instruction]) -> None:
        if self.is_over():
            return
        starts: dict[str, list[AttemptSpec]] = {}
        for instruction in instructions:
            match instruction:
                case Record(event):
                    self.recorded_seq = self.journal.append(event)
                case StartAttempt(attempt, executor):
                    if attempt.step not in self.stages:
                        self._spawn_stage(attempt.step, executor)
                    starts.setdefault(attempt.step, []).append(attempt)
                case CancelAttempt(step, map_index, number):
                    await self._start(starts)
                    await self.stages[step].tell(Stage.cancel, map_index, number)
                case ScheduleRetry(step, map_index, delay_s):
                    self.context.timers.after(delay_s, Coordinator.retry_due, step, map_index)
                case CheckLimits(step, delay_s):
                    self.context.timers.after(delay_s, Coordinator.limits_due, step)
                case CheckRunTime(delay_s):
                    self.context.timers.after(delay_s, Coordinator.run_time_due)
                case Finish():
                    self.finished(instruction)
                case _:
                    assert_never(instruction)
        await self._start(starts)
        await self.journal.room()

    async def _start(self, starts: dict[str, list[AttemptSpec]]) -> None:
        """Have the attempts started, whose rows are appended; each stage is told once."""
        if starts and self.journal.blocked is not None:  # no room on the disk: nothing starts before there is
            await self.journal.room()
        for step, attempts in starts.items():
            await self.stages[step].tell(Stage.start, attempts, self.recorded_seq)
        starts.clear()

    def _spawn_stage(self, step: str, executor: str) -> None:
        factory = partial(Stage, self.executors[executor], self.journal, self._hear, self.grace_s)
        self.stages[step] = self.context.spawn_nowait(factory, name=step)

    async def _hear(self, report: Report) -> None:
        self._heard.append(report)
        if len(self._heard) == 1:
            await self.context.ref.tell(Coordinator.take_reports)
