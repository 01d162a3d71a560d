"""The instances of one step in one run: their states, attempts and results, kept small for wide maps.

An instance is an index: 0 for a plain step, the map index for a mapped one. States are one byte each; what only some
instances have (budgets spent, attempts beyond the first, time limits) stands in dicts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping

from actorflow.flows.graph import Input
from actorflow.flows.memory import quota_bytes
from actorflow.flows.plan import PlannedStep
from actorflow.runs.expiries import Expiries
from actorflow.runs.restore import PastStage
from actorflow.runs.results import NO_RESULTS, Results
from actorflow.runs.retry import LOST_WORKER_RESTARTS, Spent
from actorflow.runs.states import TERMINAL_TASK_STATES, TaskState, may_become
from actorflow.runs.values import Value

_STATES = tuple(TaskState)
_CODE = {state: code for code, state in enumerate(_STATES)}
_TERMINAL = frozenset(_CODE[state] for state in TERMINAL_TASK_STATES)
_FAILING = (TaskState.failed, TaskState.upstream_failed, TaskState.cancelled)


class StageState:
    """One step of the plan and what has become of its instances.

    width: None until the step is judged. awaited: upstreams that must still close before that; the source of an
    elementwise map is not among them. unsettled: instances that are not terminal. late: those that run beyond their
    deadline and are being ended. taken_back: those that run and are being ended by a pause. check_s: when the time
    limits are looked at next, None where nobody will. past: what is recorded of it from before this process took the
    run up; None for nothing.
    """

    __slots__ = (
        "_attempts",
        "_deadlines",
        "_gathered",
        "_queue",
        "_results",
        "_spent",
        "_states",
        "_waits",
        "_whole",
        "awaited",
        "check_s",
        "constants",
        "depth",
        "downstream",
        "elementwise",
        "elementwise_downstream",
        "executor",
        "in_flight",
        "in_line",
        "items",
        "late",
        "name",
        "past",
        "planned",
        "position",
        "step",
        "taken_back",
        "terminal",
        "unsettled",
        "upstream",
        "width",
    )

    def __init__(self, planned: PlannedStep, position: int) -> None:
        self.planned = planned
        self.step = planned.step
        self.name = planned.step.name
        self.position = position
        self.depth = planned.depth
        self.executor = planned.executor
        self.upstream: list[StageState] = []
        self.downstream: list[StageState] = []
        self.elementwise: StageState | None = None
        self.elementwise_downstream: list[StageState] = []
        self.awaited = 0
        self.width: int | None = None
        self.unsettled = 0
        self.terminal = False
        self.in_flight = 0
        self.in_line = False
        self.items: list[object] | None = None
        self.constants: Mapping[str, Value] | None = None
        self._whole: TaskState | None = None
        self._states = bytearray()
        self._queue: deque[int] = deque()
        self._results = NO_RESULTS
        self._attempts: dict[int, int] = {}
        self._spent: dict[int, Spent] = {}
        self._waits = None if self.step.queue_timeout_s is None else Expiries(self.step.queue_timeout_s)
        self._deadlines = None if self.step.deadline_s is None else Expiries(self.step.deadline_s)
        self.late: set[int] = set()
        self.taken_back: set[int] = set()
        self.check_s: float | None = None
        self.past: PastStage | None = None
        self._gathered: Value | None = None

    def connect(self, stages: Mapping[str, StageState]) -> None:
        """Look up the neighbours, once all stages exist."""
        self.upstream = [stages[name] for name in self.planned.upstream]
        self.downstream = [stages[name] for name in self.planned.downstream]
        if self.planned.elementwise is not None:
            self.elementwise = stages[self.planned.elementwise]
            self.elementwise.elementwise_downstream.append(self)
        self.awaited = sum(1 for upstream in self.upstream if upstream is not self.elementwise)

    # -- life ---------------------------------------------------------------------------------------------------

    def open(self, width: int | None) -> None:
        """The step is judged: it has `width` instances, or the single one of a plain step (None)."""
        count = 1 if width is None else width
        self.width = count
        self.unsettled = count
        self._states = bytearray([_CODE[TaskState.pending]]) * count
        self._results = Results(count)

    def put_back(self, past: PastStage) -> None:
        """What is recorded of the instances that have just been opened is so again."""
        for index, state, value in past.settled():
            if index < len(self._states):
                self._states[index] = _CODE[state]
                self._results[index] = value
                self.unsettled -= 1
                if self.elementwise is not None:
                    self.elementwise.release_element(index)
        self._attempts = past.numbers
        self._spent = past.spent
        past.results.clear()  # so that values go when their readers are done
        self.past = None

    def close(self) -> None:
        """Every instance is terminal."""
        self.terminal = True
        self.items = None
        self.constants = None

    def finish_whole(self, state: TaskState) -> None:
        """The step ends in `state` without having had instances."""
        self._whole = state

    def outcome(self) -> TaskState:
        """The terminal state of the step as a whole, as its downstream judges it; ValueError while it is not."""
        if not self.terminal:
            raise ValueError(f"{self.name} is not terminal yet")
        if self._whole is not None:
            return self._judged(self._whole)
        for state in _FAILING:
            if _CODE[state] in self._states and self._judged(state) is state:
                return state
        skipped = self._states.count(_CODE[TaskState.skipped])
        return TaskState.skipped if skipped and skipped == len(self._states) else TaskState.succeeded

    def judged(self, index: int) -> TaskState:
        """The state of one instance as its reader judges it: a failure that is allowed counts as a success."""
        return self._judged(self.state(index))

    def _judged(self, state: TaskState) -> TaskState:
        return TaskState.succeeded if state is TaskState.failed and self.step.allow_failure else state

    def has_failed(self) -> bool:
        """True if an instance of it has failed, or it as a whole."""
        return self._whole is TaskState.failed or _CODE[TaskState.failed] in self._states

    # -- instances ----------------------------------------------------------------------------------------------

    @property
    def map_width(self) -> int | None:
        """How many map indices there are; None for a plain step."""
        return None if self.step.mapped is None else self.width

    def map_index(self, index: int) -> int | None:
        return None if self.step.mapped is None else index

    def label(self, index: int) -> str:
        """`census[7]`, or `census` for a plain step."""
        return self.name if self.step.mapped is None else f"{self.name}[{index}]"

    def state(self, index: int) -> TaskState:
        """The state of one instance; pending before the step is judged, the step's own where it had no instances."""
        if self._whole is not None:
            return self._whole
        return _STATES[self._states[index]] if index < len(self._states) else TaskState.pending

    def set(self, index: int, state: TaskState) -> None:
        """Move an instance along the table; ValueError for a transition that the table does not name."""
        before = self.state(index)
        if not may_become(before, state):
            raise ValueError(f"{self.name}[{index}] is {before} and cannot become {state}")
        self._states[index] = _CODE[state]

    def settle(self, index: int, state: TaskState, value: Value | None) -> None:
        """The instance is terminal; `value` is its result if it succeeded."""
        self.set(index, state)
        self._results[index] = value
        if self.items is not None:
            self.items[index] = None
        self.unsettled -= 1
        if self._spent:
            self._spent.pop(index, None)
        if self._deadlines is not None:
            self._deadlines.drop(index)
        if self.elementwise is not None:
            self.elementwise.release_element(index)

    def is_settled(self, index: int) -> bool:
        return self._states[index] in _TERMINAL

    def unstarted(self) -> Iterator[int]:
        """Indices that wait for their turn or for a retry."""
        waiting = {_CODE[state] for state in (TaskState.pending, TaskState.queued, TaskState.up_for_retry)}
        return iter([index for index, code in enumerate(self._states) if code in waiting])

    def indices_in(self, state: TaskState) -> Iterator[int]:
        code = _CODE[state]
        return iter([index for index, found in enumerate(self._states) if found == code])

    # -- dispatch -----------------------------------------------------------------------------------------------

    def queue(self, index: int, now_s: float) -> None:
        self.set(index, TaskState.queued)
        self._queue.append(index)
        self._count_time((index,), now_s)

    def queue_all(self, now_s: float) -> None:
        """Queue every instance that is not settled, in order."""
        if self.unsettled < len(self._states):
            for index in self.indices_in(TaskState.pending):
                self.queue(index, now_s)
            return
        self._states = bytearray([_CODE[TaskState.queued]]) * len(self._states)
        self._queue.extend(range(len(self._states)))
        self._count_time(range(len(self._states)), now_s)

    def queue_again(self, index: int, now_s: float) -> None:
        """An attempt was taken back by a pause: the instance stands first in its line, with a new number."""
        self.set(index, TaskState.queued)
        self._queue.appendleft(index)
        self._attempts[index] = self.attempt_number(index) + 1
        self._count_time((index,), now_s)

    def leave_line(self, index: int) -> None:
        """The queued instance does not start."""
        if self.state(index) is TaskState.queued:
            self._queue.remove(index)
            if self._waits is not None:
                self._waits.drop(index)

    def leave_all_lines(self) -> None:
        """Nothing that is queued starts."""
        self._queue.clear()

    def may_start(self) -> bool:
        """True if an instance is queued and the step's own bound leaves room."""
        limit = self.step.max_in_flight
        return bool(self._queue) and (limit is None or self.in_flight < limit)

    def next_queued(self) -> int:
        """Take the next instance out of the line."""
        return self._queue.popleft()

    def first_queued(self) -> int:
        """The next instance, left in the line."""
        return self._queue[0]

    def begin_attempt(self, index: int) -> int:
        """The instance runs; the number of its new attempt, from 1."""
        self.set(index, TaskState.running)
        self.in_flight += 1
        return self._attempts.get(index, 1)

    def attempt_number(self, index: int) -> int:
        """The number of the attempt that runs, else of the next one."""
        return self._attempts.get(index, 1)

    def wait_for_retry(self, index: int) -> None:
        """An attempt failed, and another one follows."""
        self.set(index, TaskState.up_for_retry)
        self._attempts[index] = self.attempt_number(index) + 1

    def spent_of(self, index: int) -> Spent:
        """What this instance has spent of its budgets; from its first failure on."""
        return self._spent.setdefault(index, Spent())

    def lost_for_good(self) -> list[int]:
        """Instances that may start no more: the processes that ran them ended too often."""
        return [index for index, spent in self._spent.items() if spent.lost > LOST_WORKER_RESTARTS]

    def ran_out(self, index: int) -> int:
        """How many attempts of this instance ran out of memory."""
        spent = self._spent.get(index)
        return 0 if spent is None else spent.memory

    def quota_bytes(self, index: int) -> int | None:
        """The memory quota of its next attempt."""
        if self.step.memory_growth is None:
            return self.step.memory_bytes
        return quota_bytes(self.step, self.ran_out(index))

    # -- time -----------------------------------------------------------------------------------------------------

    def waited(self, index: int, now_s: float) -> float | None:
        """The instance starts: what is left of the time that it may wait for its turn, None without limit."""
        if self._waits is None:
            return None
        return max(0.0, (self._waits.drop(index) or now_s) - now_s)

    def deadline_s(self, index: int) -> float | None:
        """When the instance has to be done; None without limit."""
        return None if self._deadlines is None else self._deadlines.at(index)

    def over_deadline(self, now_s: float) -> list[int]:
        """Instances that are not done in time, each told once."""
        return [] if self._deadlines is None else self._deadlines.due(now_s)

    def waited_too_long(self, now_s: float) -> list[int]:
        """Instances that did not start in time, each told once."""
        return [] if self._waits is None else self._waits.due(now_s)

    def next_limit_s(self) -> float | None:
        """When the first limit of any instance is over; None where there is none."""
        found = [limit.next_s() for limit in (self._waits, self._deadlines) if limit is not None]
        return min((expires_s for expires_s in found if expires_s is not None), default=None)

    def shift_limits(self, by_s: float) -> None:
        """Give every instance that much more time."""
        for limit in (self._waits, self._deadlines):
            if limit is not None:
                limit.shift(by_s)

    def _count_time(self, indices: Iterable[int], now_s: float) -> None:
        if self._waits is not None:
            self._waits.put(indices, now_s)
        if self._deadlines is not None:
            self._deadlines.put(indices, now_s)

    # -- values -------------------------------------------------------------------------------------------------

    def mapped_input(self) -> Input:
        """The input that a mapped step takes one element of for each index."""
        return dict(self.step.inputs)[self.step.mapped or ""]

    def element(self, index: int) -> Value:
        """The mapped argument of one instance."""
        if self.elementwise is not None:
            return self.elementwise.result(index)
        assert self.items is not None
        return Value.of(self.items[index])

    def result(self, index: int) -> Value:
        """The result of one instance; None's value where it has none."""
        return self._results[index] or Value.of(None)

    def gathered(self) -> Value:
        """What downstream gets: the result of a plain step, the list of all results of a mapped one."""
        if self._gathered is None:
            if self.step.mapped is None:
                self._gathered = self.result(0) if len(self._results) else Value.of(None)
            else:
                self._gathered = Value.of(self._results.objects())
        return self._gathered

    def release_element(self, index: int) -> None:
        """The elementwise reader of `index` is settled; drop the value if nobody else reads it."""
        if len(self.downstream) == 1 and not self.planned.kept:
            self._results[index] = None

    def release_if_read(self) -> None:
        """Drop all values once every reader is terminal, unless the run's result needs them."""
        if self.terminal and not self.planned.kept and all(reader.terminal for reader in self.downstream):
            self._results = NO_RESULTS
            self._gathered = None
