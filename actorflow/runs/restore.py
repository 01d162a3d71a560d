"""Restore: a run's recorded events folded into what a new owner needs to go on with it. Pure.

| recorded of an instance | a person takes the run up | it is taken up unattended |
|---|---|---|
| its result is committed | stays | stays |
| it failed, was cancelled, skipped, upstream_failed | judged again, with new budgets | stays |
| an attempt without an end | ready again, with new budgets | lost: counted, and ready again while the budget lasts |
| waits for its turn or its retry | ready again, with new budgets | ready again, with what is left |

Attempt numbers go on in either case. A step that has a committed result opens with its recorded width, whatever its
trigger rule says by now; one without is judged anew by a person's resume.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from actorflow.runs.events import (
    AttemptFinished,
    AttemptStarted,
    Event,
    Record,
    RunCancelling,
    RunFinished,
    RunPaused,
    RunPausing,
    RunResumed,
    RunStarted,
    TaskFinished,
    TaskReady,
)
from actorflow.runs.executor import AttemptState, Cause, ErrorRecord, Outcome
from actorflow.runs.retry import Spent, spend
from actorflow.runs.states import TERMINAL_RUN_STATUSES, RunStatus, TaskState
from actorflow.runs.values import Value

_SUCCEEDED = TaskState.succeeded


@dataclass(slots=True)
class PastStage:
    """What is recorded of one step, by index (0 for a plain step).

    opened: it was found ready, and `width` is how many instances it has, None for a plain one. whole: how it ended
    without instances. results: of what is committed. ended: instances that ended otherwise. numbers: of the next
    attempt, where it is not the first. spent: of the budgets. lost: attempts without an end. reused: its results are
    those of another run, and not recorded in this one yet.
    """

    opened: bool = False
    width: int | None = None
    whole: TaskState | None = None
    results: dict[int, Value] = field(default_factory=dict[int, Value])
    ended: dict[int, TaskState] = field(default_factory=dict[int, TaskState])
    numbers: dict[int, int] = field(default_factory=dict[int, int])
    spent: dict[int, Spent] = field(default_factory=dict[int, Spent])
    lost: set[int] = field(default_factory=set[int])
    reused: bool = False

    @property
    def count(self) -> int:
        """How many instances it has, once it is opened."""
        return 1 if self.width is None else self.width

    @property
    def is_over(self) -> bool:
        """True if no instance is left to be run."""
        return (self.opened or self.reused) and len(self.results) + len(self.ended) >= self.count

    def settled(self) -> Iterator[tuple[int, TaskState, Value | None]]:
        """The instances that stay as they are, in no particular order."""
        for index, value in self.results.items():
            yield index, _SUCCEEDED, value
        for index, state in self.ended.items():
            yield index, state, None


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A run as far as it got. stages: by the name of their step. status: as recorded last.

    failure: the first that counts. cancel_reason: who asked for a cancel. paused_by: who asked for the pause it is in.
    used_s: how long it went on, pauses left out. last_seq: of the last event. sources: of the text of each task, as it
    was last taken up. executor: the run's default. end: how it ended, None if it has not.
    """

    header: RunStarted
    stages: Mapping[str, PastStage]
    status: RunStatus
    failure: tuple[str, Cause, ErrorRecord | None] | None = None
    cancel_reason: str = ""
    paused_by: str = ""
    used_s: float = 0.0
    last_seq: int = 0
    sources: Mapping[str, str] = field(default_factory=dict[str, str])
    executor: str | None = None
    end: RunFinished | None = None

    @property
    def is_over(self) -> bool:
        return self.status in TERMINAL_RUN_STATUSES

    @property
    def committed(self) -> int:
        """How many instances have a result."""
        return sum(len(stage.results) for stage in self.stages.values())


class PastFold:
    """Fed with every event of a run, in order; `past` then tells what a new owner goes on from.

    keep: what stands for the value of a row of that seq, such as one that is read again when somebody asks for it.
    """

    def __init__(self, keep: Callable[[int, Value], Value] | None = None) -> None:
        self._keep = keep
        self._header: RunStarted | None = None
        self._stages: dict[str, PastStage] = {}
        self._status = RunStatus.queued
        self._failure: tuple[str, Cause, ErrorRecord | None] | None = None
        self._cancel_reason = ""
        self._paused_by = ""
        self._since_s: float | None = None
        self._used_s = 0.0
        self._last_s = 0.0
        self._last_seq = 0
        self._sources: dict[str, str] = {}
        self._executor: str | None = None
        self._end: RunFinished | None = None
        self._allowed: frozenset[str] = frozenset()

    def apply(self, record: Record) -> None:
        before_s = self._last_s
        self._last_seq, self._last_s, event = record
        kind = type(event)
        if kind is AttemptStarted:
            assert isinstance(event, AttemptStarted)
            self._attempt_started(event)
        elif kind is AttemptFinished:
            assert isinstance(event, AttemptFinished)
            self._attempt_finished(event)
        else:
            if isinstance(event, RunResumed) and event.taken_up:
                self._count_time(None, until_s=before_s)  # nobody knows for how long its last owner lived on
            self._other(event)

    def past(self, *, refreshed: bool) -> Past | None:
        """What there is to go on from; None where not even the run's first event is. refreshed: see the table.

        The fold is not fed any more after this.
        """
        if self._header is None:
            return None
        self._take_up(refreshed=refreshed)
        self._count_time(None)
        return Past(
            header=self._header,
            stages=self._stages,
            status=self._status,
            failure=self._failure,
            cancel_reason=self._cancel_reason,
            paused_by=self._paused_by,
            used_s=0.0 if refreshed else self._used_s,
            last_seq=self._last_seq,
            sources=self._sources,
            executor=self._executor,
            end=self._end,
        )

    def _other(self, event: Event) -> None:
        match event:
            case TaskReady(task=task, width=width):
                stage = self._stage(task)
                stage.opened, stage.width = True, width
            case TaskFinished():
                self._task_finished(event)
            case RunStarted():
                self._header, self._status, self._since_s = event, RunStatus.running, self._last_s
                self._sources, self._executor = dict(event.sources), event.executor
                self._allowed = frozenset(task.name for task in event.tasks if task.allow_failure)
            case RunCancelling(reason=reason):
                self._status, self._cancel_reason = RunStatus.cancelling, reason
            case RunPausing(reason=reason):
                self._status, self._paused_by = RunStatus.pausing, reason
                self._count_time(None)
            case RunPaused():
                self._status = RunStatus.paused
            case RunResumed():
                self._resumed(event)
            case RunFinished():
                self._status, self._end = event.status, event
                self._count_time(None)
            case AttemptStarted() | AttemptFinished():  # fed by `apply`
                raise AssertionError(event)

    def _resumed(self, event: RunResumed) -> None:
        if event.taken_up:
            self._end = None
            self._take_up(refreshed=event.refreshed)
            self._sources |= event.sources
            self._executor = event.executor or self._executor
            self._cancel_reason = "" if event.refreshed else self._cancel_reason
            self._used_s = 0.0 if event.refreshed else self._used_s
        self._status, self._paused_by = RunStatus.running, ""
        self._count_time(self._last_s)

    def _count_time(self, since_s: float | None, *, until_s: float | None = None) -> None:
        """Time counts until now or `until_s`, and from `since_s` on again."""
        if self._since_s is not None:
            self._used_s += max(0.0, (self._last_s if until_s is None else until_s) - self._since_s)
        self._since_s = since_s

    # -- instances ------------------------------------------------------------------------------------------------

    def _stage(self, name: str) -> PastStage:
        found = self._stages.get(name)
        if found is None:
            found = self._stages[name] = PastStage()
        return found

    def _attempt_started(self, event: AttemptStarted) -> None:
        stage = self._stage(event.task)
        index = event.map_index or 0
        stage.numbers[index] = event.attempt + 1
        stage.lost.add(index)

    def _attempt_finished(self, event: AttemptFinished) -> None:
        stage = self._stage(event.task)
        index = event.map_index or 0
        stage.lost.discard(index)
        if event.state is AttemptState.succeeded and event.final:
            self._commit(stage, index, event.value)
            return
        if event.state is AttemptState.failed:
            outcome = Outcome(state=event.state, cause=event.cause, worker=event.worker)
            spend(outcome, stage.spent.setdefault(index, Spent()))
        if not event.final:
            return
        stage.ended[index] = TaskState(event.state._value_)
        stage.spent.pop(index, None)
        if event.state is AttemptState.failed:
            self._note_failure(event.task, event.cause, event.error)

    def _task_finished(self, event: TaskFinished) -> None:
        stage = self._stage(event.task)
        index = event.map_index or 0
        if event.state is _SUCCEEDED:
            self._commit(stage, index, event.value)
        elif event.map_index is None and not stage.opened:
            stage.whole = event.state
        else:
            stage.ended[index] = event.state
            stage.spent.pop(index, None)
        if event.state is TaskState.failed:
            self._note_failure(event.task, event.cause, event.error)

    def _commit(self, stage: PastStage, index: int, value: Value | None) -> None:
        if value is not None and self._keep is not None:
            value = self._keep(self._last_seq, value)
        stage.results[index] = value or _NONE
        stage.numbers.pop(index, None)
        if stage.spent:
            stage.spent.pop(index, None)

    def _note_failure(self, task: str, cause: Cause, error: ErrorRecord | None) -> None:
        if self._failure is None and task not in self._allowed:
            self._failure = (task, cause, error)

    def _take_up(self, *, refreshed: bool) -> None:
        """A new owner goes on from here."""
        if refreshed:
            self._failure = None
        for stage in self._stages.values():
            if refreshed:
                _refresh(stage)
            else:
                for index in stage.lost:
                    spend(_LOST, stage.spent.setdefault(index, Spent()))
            stage.lost.clear()


_NONE = Value.of(None)
_LOST = Outcome(state=AttemptState.failed, cause=Cause.lost)


def _refresh(stage: PastStage) -> None:
    """Everything without a committed result is to be judged again."""
    stage.ended.clear()
    stage.spent.clear()
    stage.whole = None
    if not stage.results:
        stage.opened, stage.width = False, None


def past_of(
    records: Iterable[Record], *, refreshed: bool, keep: Callable[[int, Value], Value] | None = None
) -> Past | None:
    """What a new owner goes on from; None where not even the first event of the run is there. keep: see PastFold."""
    fold = PastFold(keep)
    for record in records:
        fold.apply(record)
    return fold.past(refreshed=refreshed)
