"""Admission: a test for each row of the table, and by random runs: never above the limits, and nobody starves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actorflow.flows.graph import MemoryGrowth, RetryPolicy, Step
from actorflow.flows.limits import Caps, Need
from actorflow.runs.admission import MAX_OVERTAKES, Admission
from actorflow.runs.executor import Cause
from actorflow.runs.instructions import StartAttempt
from tests.runs.driver import Driver
from tests.runs.graphs import failing, mapped, ok, step

ROWS: list[tuple[str, Need, str, str | None, int, bool]] = [
    ("nothing", Need(), "b", "a", 99, True),
    ("fits, nobody waits", Need(4), "b", None, 0, True),
    ("fits, it waits longest", Need(4), "a", "a", 99, True),
    ("fits, before another", Need(4), "b", "a", MAX_OVERTAKES - 1, True),
    ("fits, before another too often", Need(4), "b", "a", MAX_OVERTAKES, False),
    ("too large", Need(11), "a", "a", 0, False),
    ("too many CPUs", Need(1, 2.5), "a", None, 0, False),
]


@pytest.mark.parametrize(
    ("need", "of", "first", "overtaken", "starts"), [row[1:] for row in ROWS], ids=[r[0] for r in ROWS]
)
def test_an_attempt_starts_where_its_row_says(
    need: Need, of: str, first: str | None, overtaken: int, starts: bool
) -> None:
    admission = Admission(Caps(max_memory_bytes=10, max_cpus=2.0))
    for number in range(overtaken):
        admission.admits(Need(1), of="other", first=first)
        admission.take(("other", number), Need(1), of="other")
        admission.give_back(("other", number))

    assert admission.admits(need, of=of, first=first) is starts


def test_what_is_given_back_can_be_taken_again_and_fractions_add_up() -> None:
    admission = Admission(Caps(max_cpus=1.0))
    for number in range(10):
        assert admission.admits(Need(0, 0.1), of="a", first=None)
        admission.take(("a", number), Need(0, 0.1), of="a")

    assert not admission.admits(Need(0, 0.1), of="a", first=None)
    admission.give_back(("a", 3))
    assert admission.admits(Need(0, 0.1), of="a", first=None)


def test_attempts_with_cpus_of_their_own_get_those_that_fewest_others_have() -> None:
    admission = Admission(Caps(max_cpus=8.0, cpu_ids=(2, 3, 5, 7)))

    held = [admission.take(("a", number), Need(0, 2.0), of="a", pinned=True).cpu_ids for number in range(3)]
    admission.give_back(("a", 1))
    again = admission.take(("a", 9), Need(0, 1.0), of="a", pinned=True).cpu_ids

    assert held == [(2, 3), (5, 7), (2, 3)]
    assert again == (5,)


def test_attempts_without_affinity_are_held_to_no_cpu() -> None:
    assert Admission(Caps(max_cpus=8.0, cpu_ids=(0, 1))).take(("a", 0), Need(0, 2.0), of="a").cpu_ids == ()


def sized(name: str, cpus: float, width: int | None = None, **fields: Any) -> Step:
    made = step(name) if width is None else mapped(name, list(range(width)))
    return replace(made, cpus=cpus, **fields)


def test_steps_start_as_long_as_they_fit_and_the_others_when_room_is_given_back() -> None:
    driver = Driver(sized("m", 1.0, 10)).begin()

    assert len(driver.running) == 4
    driver.end("m", ok(), 0)
    assert len(driver.running) == 4
    assert driver.end_all().finish is not None


def test_what_needs_nothing_starts_beside_a_run_that_is_full() -> None:
    driver = Driver(sized("wide", 4.0), step("light"), step("waiting")).begin()

    assert set(driver.running) == {("wide", None), ("light", None), ("waiting", None)}


def test_a_large_step_is_overtaken_a_bounded_number_of_times_and_then_starts_first() -> None:
    steps = [sized("small", 1.0, 100), sized("large", 4.0)]
    driver = Driver(*steps).begin()

    while ("large", None) not in driver.running:
        name, index = next(iter(driver.running))
        driver.end(name, ok(), index)

    before = driver.started.index(("large", None))
    assert before <= 4 + 1 + MAX_OVERTAKES  # those that fitted, one that waited longer, and the overtakers
    assert driver.end_all().finish is not None


def test_an_attempt_with_a_larger_quota_waits_until_that_is_free() -> None:
    retry = RetryPolicy(memory_restarts=1)
    growing = replace(step("grows"), memory_bytes=3, memory_growth=MemoryGrowth(), retry=retry)
    other = replace(step("other"), memory_bytes=3)
    driver = Driver(growing, other, quotas=True, max_memory=8).begin()

    driver.end("grows", failing(Cause.out_of_memory)).retry("grows")
    assert set(driver.running) == {("other", None)}
    driver.end("other", ok())

    assert set(driver.running) == {("grows", None)}


@dataclass(frozen=True)
class Shape:
    """needs: of each step, in CPUs of four. widths: of its map."""

    needs: tuple[float, ...]
    widths: tuple[int, ...]
    slots: int
    seed: int


shapes = st.integers(1, 6).flatmap(
    lambda count: st.builds(
        Shape,
        st.tuples(*[st.sampled_from([0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0])] * count),
        st.tuples(*[st.integers(1, 30)] * count),
        st.integers(1, 40),
        st.integers(0, 2**16),
    )
)


@settings(max_examples=200, deadline=None)
@given(shapes)
def test_every_ready_instance_starts_in_the_end_within_the_limits_and_after_few_others(shape: Shape) -> None:
    steps = [sized(f"s{n}", cpus, shape.widths[n]) for n, cpus in enumerate(shape.needs)]
    needs = {made.name: cpus for made, cpus in zip(steps, shape.needs, strict=True)}
    driver, rng = Driver(*steps, slots=shape.slots), Random(shape.seed)

    driver.begin()
    while driver.running:
        assert sum(needs[name] for name, _ in driver.running) <= 4.0 + 1e-6
        name, index = rng.choice(sorted(driver.running))
        driver.end(name, ok(), index)

    assert driver.finish is not None
    assert len(driver.started) == sum(shape.widths)
    assert longest_wait(driver, shape) <= (MAX_OVERTAKES + 4 * 4) * len(steps) * 2


def longest_wait(driver: Driver, shape: Shape) -> int:
    """The most attempts of other steps that started between two of one step that was ready all the time."""
    last = dict.fromkeys(range(len(shape.needs)), 0)
    longest = 0
    for position, (name, _) in enumerate(driver.started):
        number = int(name[1:])
        longest = max(longest, position - last[number])
        last[number] = position + 1
    return longest


def test_a_started_attempt_knows_its_cpus() -> None:
    pinned = replace(step("a"), executor="process", cpus=2.0, affinity=True)
    driver = Driver(pinned).begin()

    starts = [said.attempt for said in driver.said if isinstance(said, StartAttempt)]
    assert [start.cpu_ids for start in starts] == [(0, 1)]
