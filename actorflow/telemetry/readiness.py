"""Readiness: since when each attempt could have run, which is where its waiting begins. Pure.

| attempt | waits since |
|---|---|
| the first of a plain step, or of an instance of a map | the step was ready |
| the first of an instance whose list is being made by another map | its own element was there |
| a later one | its retry was due |
| any, of a run that was taken up again | not before that |
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

from actorflow.runs.events import (
    AttemptFinished,
    AttemptStarted,
    Event,
    Record,
    RunResumed,
    RunStarted,
    TaskFinished,
    TaskReady,
)


@dataclass(slots=True)
class _Step:
    """source: the map whose elements this map takes while they are made. ended_s: of each instance, by index."""

    upstream: tuple[str, ...] = ()
    feeds_a_map: bool = False
    ready_s: float | None = None
    width: int | None = None
    done: int = 0
    source: _Step | None = None
    ended_s: array[float] = field(default_factory=lambda: array("d"))
    due_s: dict[int | None, float] = field(default_factory=dict[int | None, float])

    @property
    def is_open_map(self) -> bool:
        return self.width is not None and self.done < self.width


class Readiness:
    """Fed with every record of a run, in order."""

    def __init__(self) -> None:
        self._steps: dict[str, _Step] = {}

    def apply(self, record: Record) -> float | None:
        """For the start of an attempt, the time since which it waited, in epoch seconds; None for all else."""
        event = record.event
        if isinstance(event, AttemptStarted):
            return self._waiting_since(event, record.ts)
        self._hear(event, record.ts)
        return None

    def _hear(self, event: Event, ts: float) -> None:
        match event:
            case AttemptFinished():
                step = self._step(event.task)
                if event.final:
                    self._end(step, event.map_index, ts)
                else:
                    step.due_s[event.map_index] = ts + (event.retry_in_s or 0.0)
            case TaskReady():
                self._ready(self._step(event.task), event.width, ts)
            case TaskFinished():
                self._end(self._step(event.task), event.map_index, ts)
            case RunStarted():
                self._plan(event)
            case RunResumed(taken_up=True):
                for step in self._steps.values():  # nobody waited while there was no run
                    step.ready_s = None if step.ready_s is None else ts
                    step.due_s.clear()
            case _:
                pass

    def _plan(self, event: RunStarted) -> None:
        for task in event.tasks:
            self._steps[task.name] = _Step(task.upstream)
        for task in event.tasks:
            if task.mapped is not None:
                for name in task.upstream:
                    self._step(name).feeds_a_map = True

    def _ready(self, step: _Step, width: int | None, ts: float) -> None:
        step.ready_s, step.width = ts, width
        if width is None:
            return
        if step.feeds_a_map and not step.ended_s:
            step.ended_s = array("d", bytes(8 * width))
        open_maps = [self._step(name) for name in step.upstream if self._step(name).is_open_map]
        step.source = open_maps[0] if open_maps else None

    def _end(self, step: _Step, map_index: int | None, ts: float) -> None:
        if map_index is None:
            step.done = step.width or 0
            return
        step.done += 1
        if map_index < len(step.ended_s):
            step.ended_s[map_index] = ts

    def _waiting_since(self, event: AttemptStarted, ts: float) -> float:
        step = self._step(event.task)
        since = step.due_s.pop(event.map_index, None) or step.ready_s or ts
        source = step.source
        if event.attempt == 1 and source is not None and (event.map_index or 0) < len(source.ended_s):
            since = max(since, source.ended_s[event.map_index or 0])
        return min(since, ts)

    def _step(self, name: str) -> _Step:
        return self._steps.setdefault(name, _Step())
