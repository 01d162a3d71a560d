"""Who still reads a value: folds a run's events, and tells which large values nobody will ask for again. Pure.

| a step | its large values are released |
|---|---|
| is part of the run's result | never |
| has readers | when every instance of every reader has succeeded or was skipped |
| has one reader, which maps over it element by element | each when its own reader has |

A reader that failed or was cancelled keeps what it read: a resume runs it again. Telling it from the events alone has a
use beyond the run: whoever checks a journal knows by the same fold which values may be gone.

A resume judges again what was skipped, and it is skipped again: that follows from the trigger rules, for what has
succeeded stays. The one exception, an element-wise map whose source never had a width, keeps what it would read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from actorflow.runs.events import (
    AttemptFinished,
    Event,
    RecordedTask,
    RunResumed,
    RunStarted,
    TaskFinished,
    TaskReady,
)
from actorflow.runs.executor import AttemptState
from actorflow.runs.states import TaskState
from actorflow.runs.values import Value


@dataclass(slots=True)
class _Step:
    task: RecordedTask
    readers: list[_Step] = field(default_factory=list["_Step"])
    sources: list[_Step] = field(default_factory=list["_Step"])
    elementwise: _Step | None = None
    instances: int | None = None
    passed: int = 0
    skipped: int = 0
    values: dict[int | None, Value] = field(default_factory=dict[int | None, Value])

    @property
    def is_through(self) -> bool:
        return self.instances is not None and self.passed >= self.instances

    @property
    def may_be_released(self) -> bool:
        return not self.task.kept and bool(self.readers)


class ValueReaders:
    """Feed it every event of a run in order. is_large: whether a value stands outside of its row, and so can go."""

    def __init__(self, is_large: Callable[[Value], bool]) -> None:
        self._is_large = is_large
        self._steps: dict[str, _Step] = {}

    def apply(self, event: Event) -> list[Value]:
        """The large values that nobody reads any more from this event on; each is told once."""
        kind = type(event)
        if kind is AttemptFinished:
            assert isinstance(event, AttemptFinished)
            return self._attempt_finished(event)
        if kind is TaskFinished:
            assert isinstance(event, TaskFinished)
            return self._task_finished(event)
        if isinstance(event, TaskReady):
            return self._ready(event)
        if isinstance(event, RunStarted):
            self._begin(event)
        elif isinstance(event, RunResumed) and event.refreshed:
            self._judge_again()
        return []

    def _begin(self, event: RunStarted) -> None:
        self._steps = {task.name: _Step(task) for task in event.tasks}
        for step in self._steps.values():
            step.sources = [self._steps[name] for name in step.task.upstream if name in self._steps]
            for source in step.sources:
                source.readers.append(step)
            if step.task.elementwise is not None:
                step.elementwise = self._steps.get(step.task.elementwise)

    def _judge_again(self) -> None:
        for step in self._steps.values():
            step.passed -= step.skipped
            step.skipped = 0
            if not step.passed:
                step.instances = None

    def _ready(self, event: TaskReady) -> list[Value]:
        step = self._steps.get(event.task)
        if step is None:
            return []
        step.instances = 1 if event.width is None else event.width
        return self._through(step) if step.is_through else []

    def _attempt_finished(self, event: AttemptFinished) -> list[Value]:
        step = self._steps.get(event.task)
        if step is None or not event.final or event.state is not AttemptState.succeeded:
            return []
        return self._succeeded(step, event.map_index, event.value)

    def _succeeded(self, step: _Step, map_index: int | None, value: Value | None) -> list[Value]:
        if value is not None and step.may_be_released and self._is_large(value):
            step.values[map_index] = value
        return self._passed(step, map_index)

    def _task_finished(self, event: TaskFinished) -> list[Value]:
        step = self._steps.get(event.task)
        if step is None:
            return []
        if event.state is TaskState.succeeded:
            return self._succeeded(step, event.map_index, event.value)
        if event.state is not TaskState.skipped:
            return []
        if event.map_index is not None:
            step.skipped += 1
            return self._passed(step, event.map_index)
        if step.instances is None:
            if step.elementwise is not None:
                return []
            step.instances = 1
        step.skipped += step.instances - step.passed
        step.passed = step.instances
        return self._through(step)

    def _passed(self, step: _Step, map_index: int | None) -> list[Value]:
        step.passed += 1
        found: list[Value] = []
        source = step.elementwise
        if source is not None and source.values and source.may_be_released and len(source.readers) == 1:
            value = source.values.pop(map_index, None)
            found = [] if value is None else [value]
        return [*found, *self._through(step)] if step.is_through else found

    def _through(self, step: _Step) -> list[Value]:
        """Every instance of it has succeeded or was skipped: what it read may go if all other readers are there too."""
        found: list[Value] = []
        for source in step.sources:
            if source.values and source.may_be_released and all(reader.is_through for reader in source.readers):
                found += source.values.values()
                source.values.clear()
        return found
