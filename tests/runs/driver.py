"""A driver for tests: feeds a RunState with events and keeps what it said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

from actorflow.flows.graph import Output, Step
from actorflow.runs.events import TaskFinished
from actorflow.runs.executor import Outcome
from actorflow.runs.instructions import Finish, Instruction, Record, StartAttempt
from actorflow.runs.run_state import RunState
from actorflow.runs.states import RunStatus, TaskState
from tests.runs.graphs import ok, plan_of

Key = tuple[str, int | None]


class Driver:
    """Feeds a RunState and keeps what it said."""

    def __init__(
        self,
        *steps: Step,
        slots: int = 100,
        ahead: int = 0,
        result: str | None = None,
        executor: str | None = None,
        quotas: bool = False,
        left_out: Sequence[str] = (),
        **limits: Any,
    ) -> None:
        """quotas: the executor `async` limits memory, for once. left_out: steps not selected. limits: of the run, as
        `RunLimits` has them."""
        plan = plan_of(*steps, result=Output(result) if result else None, executor=executor, quotas=quotas, **limits)
        chosen = (replace(planned, is_selected=planned.step.name not in left_out) for planned in plan.steps)
        plan = replace(plan, steps=tuple(chosen))
        self.state = RunState(
            plan, "r1", slots={"async": slots, "process": slots, "inline": 1}, rng=Random(7), ahead={"async": ahead}
        )
        self.running: dict[Key, int] = {}
        self.said: list[Instruction] = []
        self.started: list[Key] = []
        self.now_s = 0.0

    def begin(self) -> Driver:
        return self.take(self.state.begin(now_s=self.now_s))

    def at(self, now_s: float) -> Driver:
        """What follows happens then."""
        self.now_s = now_s
        return self

    def limits(self, name: str) -> Driver:
        return self.take(self.state.limits_due(name, now_s=self.now_s))

    def run_time(self) -> Driver:
        return self.take(self.state.run_time_due(now_s=self.now_s))

    def retry(self, name: str, index: int | None = None) -> Driver:
        return self.take(self.state.retry_due(name, index, now_s=self.now_s))

    def pause(self, *, now: bool = False) -> Driver:
        return self.take(self.state.pause("test", now_s=self.now_s, now=now))

    def resume(self) -> Driver:
        return self.take(self.state.resume("test", now_s=self.now_s))

    def take(self, instructions: list[Instruction]) -> Driver:
        self.said += instructions
        for instruction in instructions:
            if isinstance(instruction, StartAttempt):
                key = (instruction.attempt.step, instruction.attempt.map_index)
                assert key not in self.running, "an instance runs once at a time"
                self.running[key] = instruction.attempt.number
                self.started.append(key)
        return self

    def end(self, name: str, outcome: Outcome, index: int | None = None) -> Driver:
        number = self.running.pop((name, index))
        return self.take(
            self.state.attempt_ended(name, index, number, outcome, started_at=self.now_s, now_s=self.now_s)
        )

    def end_all(self, outcome: Outcome | None = None) -> Driver:
        """End whatever runs, in the order it was started, until nothing does."""
        while self.running:
            name, index = next(iter(self.running))
            self.end(name, outcome or ok(), index)
        return self

    def status(self) -> RunStatus:
        return self.state.status

    @property
    def finish(self) -> Finish | None:
        found = [said for said in self.said if isinstance(said, Finish)]
        assert len(found) <= 1, "a run ends once"
        return found[0] if found else None

    def unstarted_ends(self) -> dict[Key, TaskState]:
        events = [said.event for said in self.said if isinstance(said, Record)]
        return {(event.task, event.map_index): event.state for event in events if isinstance(event, TaskFinished)}
