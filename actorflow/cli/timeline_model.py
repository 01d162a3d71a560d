"""When what of a run waited and ran, folded from its records. Pure.

A mapped step is one lane, however wide; `all_instances` gives each instance a lane of its own.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from actorflow.cli.board import label as label_of
from actorflow.cli.critical_path import critical_path
from actorflow.runs.events import (
    AttemptFinished,
    AttemptStarted,
    Record,
    RecordedTask,
    RunFinished,
    RunResumed,
    RunStarted,
    TaskFinished,
    TaskReady,
)
from actorflow.runs.executor import AttemptState
from actorflow.runs.states import TERMINAL_RUN_STATUSES, RunStatus
from actorflow.telemetry.readiness import Readiness

RUNNING = "running"
INTERRUPTED = "interrupted"
FAILED = "failed"
_WORST_FIRST = (FAILED, INTERRUPTED, "cancelled", "upstream_failed", "skipped", RUNNING)

Place = tuple[str, int | None]
"""(step, map index); None for a plain step."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One attempt, or all of a map: waiting since `since_s`, running from `started_s` to `ended_s`; epoch seconds."""

    since_s: float
    started_s: float
    ended_s: float
    state: str
    attempt: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One line of a timeline. width: of a map that is folded into it. counts: of its instances, by state.

    critical: on the critical path; critical_bar: the instance that is, where the lane is a whole map.
    """

    step: str
    map_index: int | None
    bars: Sequence[Bar]
    state: str
    width: int | None = None
    counts: Counter[str] = field(default_factory=Counter[str])
    critical: bool = False
    critical_bar: Bar | None = None

    @property
    def label(self) -> str:
        return f"{self.step}[*]" if self.width is not None else label_of(self.step, self.map_index)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """A run. ended_s: of what is known so far, for one that goes on. path: labels, from the first to the last."""

    run_id: str
    dag: str
    status: RunStatus
    started_s: float
    ended_s: float
    lanes: Sequence[Lane]
    path: Sequence[str]
    path_s: float

    @property
    def seconds(self) -> float:
        return max(self.ended_s - self.started_s, 0.0)


@dataclass(slots=True)
class _Step:
    """since_s, started_s, ended_s: of each instance of a map. source: the map that feeds it element by element."""

    task: RecordedTask
    width: int | None = None
    is_map: bool = False
    over_s: float | None = None
    counts: Counter[str] = field(default_factory=Counter[str])
    whole_state: str = ""
    source: str | None = None
    since_s: array[float] = field(default_factory=lambda: array("d"))
    started_s: array[float] = field(default_factory=lambda: array("d"))
    ended_s: array[float] = field(default_factory=lambda: array("d"))
    bars: dict[int | None, list[Bar]] = field(default_factory=dict[int | None, list[Bar]])
    running: dict[int | None, tuple[float, float, int]] = field(
        default_factory=dict[int | None, tuple[float, float, int]]
    )
    states: dict[int, str] = field(default_factory=dict[int, str])

    @property
    def is_open_map(self) -> bool:
        return self.width is not None and self.counts.total() < self.width

    def last(self) -> tuple[int | None, float] | None:
        """Which instance ended last, and when; None where none has run."""
        if not self.is_map:
            bars = self.bars.get(None)
            return (None, bars[-1].ended_s) if bars else None
        if not self.ended_s:
            return None
        index = max(range(len(self.ended_s)), key=self.ended_s.__getitem__)
        return (index, self.ended_s[index]) if self.ended_s[index] else None

    def bar(self, map_index: int | None) -> Bar | None:
        """From the first waiting of an instance to its end."""
        if map_index is None or not self.is_map:
            bars = self.bars.get(None)
            return Bar(bars[0].since_s, bars[0].started_s, bars[-1].ended_s, bars[-1].state) if bars else None
        if map_index >= len(self.ended_s) or not self.ended_s[map_index]:
            return None
        state = self.states.get(map_index, "succeeded")
        return Bar(self.since_s[map_index], self.started_s[map_index], self.ended_s[map_index], state)


class TimelineFold:
    """Fed with every record of a run, in order."""

    def __init__(self, *, all_instances: bool = False) -> None:
        self._all = all_instances
        self._readiness = Readiness()
        self._steps: dict[str, _Step] = {}
        self._header: RunStarted | None = None
        self._started_s = 0.0
        self._last_s = 0.0
        self._status = RunStatus.queued

    def apply(self, record: Record) -> None:
        ts, event = record.ts, record.event
        since_s = self._readiness.apply(record)
        match event:
            case AttemptStarted():
                step = self._step(event.task)
                self._cut_short(step, event.map_index)
                step.running[event.map_index] = (ts if since_s is None else since_s, ts, event.attempt)
            case AttemptFinished():
                self._attempt_finished(event, ts)
            case TaskReady():
                self._ready(self._step(event.task), event.width)
            case TaskFinished():
                self._task_finished(event, ts)
            case RunStarted():
                self._header, self._started_s, self._status = event, ts, RunStatus.running
                self._steps = {task.name: _Step(task, is_map=task.mapped is not None) for task in event.tasks}
            case RunFinished():
                self._status = event.status
            case RunResumed(taken_up=True):
                self._taken_up(refreshed=event.refreshed)
            case _:
                pass
        self._last_s = ts

    def finish(self, run_id: str, *, owned: bool, now_s: float) -> Timeline:
        """owned: whether a living process still owns the run; what runs, runs until now then."""
        goes_on = owned and self._status not in TERMINAL_RUN_STATUSES
        until_s = max(now_s, self._last_s) if goes_on else self._last_s
        for step in self._steps.values():
            for map_index, (since_s, started_s, attempt) in list(step.running.items()):
                state = RUNNING if goes_on else INTERRUPTED
                self._end(step, map_index, Bar(since_s, started_s, until_s, state, attempt))
                step.counts[state] += 1
                step.running.pop(map_index)
        path = self._path()
        critical = set(path)
        status = self._status
        if not owned and status not in TERMINAL_RUN_STATUSES:
            status = RunStatus.interrupted
        bars = [bar for name, index in path if (bar := self._steps[name].bar(index)) is not None]
        return Timeline(
            run_id=run_id,
            dag="" if self._header is None else self._header.dag,
            status=status,
            started_s=self._started_s,
            ended_s=until_s,
            lanes=[lane for step in self._steps.values() for lane in self._lanes(step, critical)],
            path=[label_of(name, index) for name, index in path],
            path_s=bars[-1].ended_s - bars[0].since_s if bars else 0.0,
        )

    # -- records ------------------------------------------------------------------------------------------------------

    def _ready(self, step: _Step, width: int | None) -> None:
        step.width = width
        if width is None:
            return
        step.is_map = True
        if len(step.ended_s) < width:
            for times in (step.since_s, step.started_s, step.ended_s):
                times.frombytes(bytes(8 * (width - len(times))))
        step.source = next((name for name in step.task.upstream if self._step(name).is_open_map), None)

    def _attempt_finished(self, event: AttemptFinished, ts: float) -> None:
        step = self._step(event.task)
        since_s, began_s, _ = step.running.pop(event.map_index, (event.started or ts, event.started or ts, 0))
        started_s = min(max(event.started or began_s, since_s), ts)
        self._end(step, event.map_index, Bar(since_s, started_s, ts, event.state.value, event.attempt))
        if event.final:
            self._count(step, event.state.value, ts)

    def _task_finished(self, event: TaskFinished, ts: float) -> None:
        step = self._step(event.task)
        if event.map_index is None and step.width is not None:
            step.counts[event.state.value] += step.width - step.counts.total()
            step.over_s = ts
            return
        if event.map_index is None:
            step.whole_state = event.state.value
        else:
            step.states[event.map_index] = event.state.value
        self._count(step, event.state.value, ts)

    def _taken_up(self, *, refreshed: bool) -> None:
        """A new process goes on with the run: what ran was lost, and what has not succeeded is judged again."""
        self._status = RunStatus.running
        for step in self._steps.values():
            for map_index in list(step.running):
                self._cut_short(step, map_index)
            if refreshed:
                step.counts = +Counter({"succeeded": step.counts["succeeded"]})
                step.whole_state = ""
                step.states.clear()

    def _cut_short(self, step: _Step, map_index: int | None) -> None:
        """The attempt before was left open by a crash."""
        before = step.running.pop(map_index, None)
        if before is not None:
            since_s, started_s, attempt = before
            self._end(step, map_index, Bar(since_s, started_s, self._last_s, INTERRUPTED, attempt))

    def _count(self, step: _Step, state: str, ts: float) -> None:
        step.counts[state] += 1
        step.over_s = max(step.over_s or ts, ts)

    def _end(self, step: _Step, map_index: int | None, bar: Bar) -> None:
        if map_index is None or self._all:
            step.bars.setdefault(map_index, []).append(bar)
        if map_index is not None and map_index < len(step.ended_s):
            if not step.started_s[map_index]:
                step.since_s[map_index], step.started_s[map_index] = bar.since_s, bar.started_s
            step.ended_s[map_index] = bar.ended_s
            if bar.state != AttemptState.succeeded.value:
                step.states[map_index] = bar.state
            else:
                step.states.pop(map_index, None)

    # -- what became of them ------------------------------------------------------------------------------------------

    def _path(self) -> list[Place]:
        ends = [(step.task.name, last) for step in self._steps.values() if (last := step.last()) is not None]
        if not ends:
            return []
        name, (index, _) = max(ends, key=lambda one: one[1][1])
        return critical_path((name, index), self._released_by)

    def _released_by(self, place: Place) -> Iterator[tuple[Place, float]]:
        """The upstream instances that the start of this one had to wait for."""
        name, index = place
        step = self._step(name)
        for upstream in step.task.upstream:
            above = self._step(upstream)
            if upstream == step.source and index is not None and above.bar(index) is not None:
                yield (upstream, index), above.ended_s[index]
                continue
            last = above.last()
            if last is not None:
                yield (upstream, last[0]), last[1]

    def _lanes(self, step: _Step, critical: set[Place]) -> Iterator[Lane]:
        name = step.task.name
        index = next((one for place, one in critical if place == name), None)
        on_path = any(place == name for place, _ in critical)
        if not step.is_map:
            bars = step.bars.get(None, [])
            state = step.whole_state or (bars[-1].state if bars else "pending")
            yield Lane(step=name, map_index=None, bars=bars, state=state, critical=on_path)
        elif not self._all or step.width is None:
            yield self._folded(step, critical=on_path, critical_bar=step.bar(index) if on_path else None)
        else:
            for instance in range(step.width):
                bars = step.bars.get(instance, [])
                state = step.states.get(instance) or (bars[-1].state if bars else "pending")
                yield Lane(
                    step=name, map_index=instance, bars=bars, state=state, critical=on_path and instance == index
                )

    def _folded(self, step: _Step, *, critical: bool, critical_bar: Bar | None) -> Lane:
        ran = [index for index, ended_s in enumerate(step.ended_s) if ended_s]
        bars: list[Bar] = []
        state = next((one for one in _WORST_FIRST if step.counts[one]), "succeeded" if step.counts else "pending")
        if ran:
            since_s = min(step.since_s[index] for index in ran)
            started_s = min(step.started_s[index] for index in ran)
            bars = [Bar(since_s, started_s, max(step.ended_s[index] for index in ran), state)]
        if step.width is not None and step.counts.total() < step.width and state == "succeeded":
            state = RUNNING
        return Lane(
            step=step.task.name,
            map_index=None,
            bars=bars,
            state=step.whole_state or state,
            width=step.width or 0,
            counts=step.counts,
            critical=critical,
            critical_bar=critical_bar,
        )

    def _step(self, name: str) -> _Step:
        found = self._steps.get(name)
        if found is None:
            found = self._steps[name] = _Step(RecordedTask(name=name, task=name, executor=""))
        return found


def timeline(
    run_id: str, records: Iterable[Record], *, owned: bool, now_s: float, all_instances: bool = False
) -> Timeline:
    """The timeline of a run."""
    fold = TimelineFold(all_instances=all_instances)
    for record in records:
        fold.apply(record)
    return fold.finish(run_id, owned=owned, now_s=now_s)
