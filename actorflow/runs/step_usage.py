"""What each step of a run took: waiting for its turn, running, memory, processor time. A fold of its events; pure.

An attempt waits from the moment it could have started: its step was ready, or its own element of the map above had
ended, or its wait before a retry was over. Memory grows with what waits and runs at once, not with the run.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from actorflow.runs.events import AttemptFinished, AttemptStarted, Record, RunStarted, TaskReady
from actorflow.runs.executor import AttemptState

Instance = tuple[str, int | None]


@dataclass(slots=True)
class StepUsage:
    """Sums over the attempts of one step. cpu_s, peak_rss_bytes: None where no attempt could tell."""

    attempts: int = 0
    waiting_s: float = 0.0
    longest_wait_s: float = 0.0
    running_s: float = 0.0
    cpu_s: float | None = None
    peak_rss_bytes: int | None = None

    def to_json(self) -> dict[str, object]:
        return asdict(self)


class UsageFold:
    """Feed it every record of a run in order; `steps` by name, in topological order."""

    def __init__(self) -> None:
        self.steps: dict[str, StepUsage] = {}
        self._ready: dict[str, float] = {}
        self._element_by_element: dict[str, list[str]] = {}
        self._since: dict[Instance, float] = {}
        self._started: dict[Instance, float] = {}

    def apply(self, record: Record) -> None:
        """Count what happened."""
        _, ts, event = record
        if isinstance(event, AttemptStarted):
            self._attempt_started(ts, event)
        elif isinstance(event, AttemptFinished):
            self._attempt_finished(ts, event)
        elif isinstance(event, TaskReady):
            self._ready[event.task] = ts
        elif isinstance(event, RunStarted):
            self.steps = {task.name: StepUsage() for task in event.tasks}
            for task in event.tasks:
                if task.elementwise is not None:
                    self._element_by_element.setdefault(task.elementwise, []).append(task.name)

    def _attempt_started(self, ts: float, event: AttemptStarted) -> None:
        instance = (event.task, event.map_index)
        since = max(self._since.pop(instance, 0.0), self._ready.get(event.task, 0.0))
        waited_s = max(ts - since, 0.0) if since else 0.0
        step = self._step(event.task)
        step.attempts += 1
        step.waiting_s += waited_s
        step.longest_wait_s = max(step.longest_wait_s, waited_s)
        self._started[instance] = ts

    def _attempt_finished(self, ts: float, event: AttemptFinished) -> None:
        instance = (event.task, event.map_index)
        began = self._started.pop(instance, None)
        step = self._step(event.task)
        if began is not None:
            step.running_s += max(ts - (event.started or began), 0.0)
        if event.cpu_s is not None:
            step.cpu_s = (step.cpu_s or 0.0) + event.cpu_s
        if event.peak_rss_bytes is not None:
            step.peak_rss_bytes = max(step.peak_rss_bytes or 0, event.peak_rss_bytes)
        if not event.final:
            self._since[instance] = ts + (event.retry_in_s or 0.0)
        elif event.state is AttemptState.succeeded:
            for reader in self._element_by_element.get(event.task, ()):
                self._since[reader, event.map_index] = ts

    def _step(self, name: str) -> StepUsage:
        return self.steps.setdefault(name, StepUsage())
