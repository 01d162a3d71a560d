"""What a wide map takes of memory, counted: all that is kept of an instance once it has run."""

from __future__ import annotations

import tracemalloc
from collections import deque
from collections.abc import Iterable
from random import Random

from actorflow.flows.graph import Output
from actorflow.runs.event_rows import encode_row
from actorflow.runs.instructions import Finish, Instruction, Record, StartAttempt
from actorflow.runs.run_state import RunState
from actorflow.runs.tally import Tally
from actorflow.runs.task_call import succeeded
from actorflow.runs.value_readers import ValueReaders
from actorflow.runs.values import Value
from tests.runs.graphs import mapped, plan_of, step

WIDTH = 20_000
MAX_BYTES_EACH = 60
"""The number that it returned (32), its place among results, among items and in the list (8 each), its state (1)."""
MAX_PEAK_EACH = 80
"""At first they all stand in line (40)."""


class Owner:
    """Does with every event what the owner of a run does: counts, encodes, looks for values that may go."""

    def __init__(self, state: RunState) -> None:
        self.state = state
        self.tally = Tally("r1")
        self.readers = ValueReaders(lambda value: value.size_bytes > 64 * 1024)
        self.attempts: deque[StartAttempt] = deque()
        self.finish: Finish | None = None

    def do(self, instructions: Iterable[Instruction]) -> None:
        for instruction in instructions:
            if isinstance(instruction, StartAttempt):
                self.attempts.append(instruction)
            elif isinstance(instruction, Record):
                encode_row(1.0, instruction.event)
                self.tally.apply(1.0, instruction.event)
                self.readers.apply(instruction.event)
            elif isinstance(instruction, Finish):
                self.finish = instruction

    def end_next(self) -> None:
        attempt = self.attempts.popleft().attempt
        result = 1000 if attempt.map_index is None else attempt.map_index + 1000
        ended = self.state.attempt_ended(
            attempt.step, attempt.map_index, attempt.number, succeeded(result), started_at=1.0, now_s=1.0
        )
        self.do(ended)


def test_an_instance_that_has_run_takes_little_more_than_its_result() -> None:
    plan = plan_of(mapped("one", list(range(WIDTH))), step("count", "one"), result=Output("count"))
    owner = Owner(RunState(plan, "r1", slots={"async": 256}, rng=Random(7)))
    tracemalloc.start(1)
    before, _ = tracemalloc.get_traced_memory()

    owner.do(owner.state.begin(now_s=0.0))
    while not isinstance(owner.attempts[0].attempt.arguments.get("p0"), Value):
        owner.end_next()

    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (after - before) / WIDTH < MAX_BYTES_EACH
    assert (peak - before) / WIDTH < MAX_PEAK_EACH
    owner.end_next()
    assert owner.finish is not None
    assert owner.finish.result == Value.of(1000)
