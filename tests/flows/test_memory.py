"""A memory quota grows only as it says, and only after attempts that ran out of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorflow.flows.graph import MemoryGrowth, RetryPolicy
from actorflow.flows.memory import Memory, largest_quota_bytes, memory_restarts, quota_bytes, quota_text, read_quota
from actorflow.flows.sizes import Size
from tests.flows.steps import step

GIB = 1024**3
DOUBLING = MemoryGrowth(2.0)

READ: list[tuple[Size | Memory, tuple[int, MemoryGrowth | None]]] = [
    ("1GiB", (GIB, None)),
    (4096, (4096, None)),
    ("1GiB * attempt", (GIB, MemoryGrowth())),
    ("1GiB*attempt", (GIB, MemoryGrowth())),
    ("attempt * 1GiB", (GIB, MemoryGrowth())),
    (Memory("1GiB"), (GIB, None)),
    (Memory("1GiB", growth=2), (GIB, DOUBLING)),
    (Memory(GIB, growth=2.0, max="6GiB"), (GIB, MemoryGrowth(2.0, 6 * GIB))),
]


@pytest.mark.parametrize(("written", "meant"), READ)
def test_what_is_written_means(written: Size | Memory, meant: tuple[int, MemoryGrowth | None]) -> None:
    assert read_quota(written) == meant


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("1GiB * attempts", 'write "1GiB", "1GiB \\* attempt"'),
        ("attempt", 'write "1GiB"'),
        ("1GiB * 2", 'write "1GiB"'),
        ("0MiB * attempt", "more than 0"),
        ("lots * attempt", "is no size"),
        (0, "more than 0"),
        (Memory("1GiB", growth=0.5), "growth is a number of 1 or more"),
        (Memory("1GiB", growth=True), "growth is a number of 1 or more"),
        (Memory("2GiB", growth=2.0, max="1GiB"), "max must be at least the first quota"),
    ],
)
def test_what_is_no_quota_is_refused_with_the_way_out(written: Size | Memory, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_quota(written)


QUOTAS: list[tuple[MemoryGrowth | None, int, int]] = [
    (None, 0, GIB),
    (None, 3, GIB),
    (MemoryGrowth(), 0, GIB),
    (MemoryGrowth(), 1, 2 * GIB),
    (MemoryGrowth(), 2, 3 * GIB),
    (DOUBLING, 1, 2 * GIB),
    (DOUBLING, 3, 8 * GIB),
    (MemoryGrowth(2.0, 6 * GIB), 3, 6 * GIB),
]


@pytest.mark.parametrize(("growth", "ran_out", "expected"), QUOTAS)
def test_after_attempts_that_ran_out_the_next_one_has(growth: MemoryGrowth | None, ran_out: int, expected: int) -> None:
    assert quota_bytes(step("s", memory_bytes=GIB, memory_growth=growth), ran_out) == expected


def test_without_a_quota_there_is_none_however_often_it_ran_out() -> None:
    assert quota_bytes(step("s"), 5) is None


@given(st.integers(1, 2**40), st.floats(1.0, 1e300), st.integers(0, 10_000))
def test_growth_never_shrinks_and_never_overflows(base: int, factor: float, ran_out: int) -> None:
    grown = quota_bytes(step("s", memory_bytes=base, memory_growth=MemoryGrowth(factor)), ran_out)

    assert grown is not None
    assert base <= grown < 2**63


@pytest.mark.parametrize(
    ("growth", "asked", "restarts"), [(None, None, 0), (DOUBLING, None, 1), (None, 2, 2), (DOUBLING, 0, 0)]
)
def test_it_is_started_again_after_running_out(growth: MemoryGrowth | None, asked: int | None, restarts: int) -> None:
    policy = RetryPolicy(memory_restarts=asked)
    asking = step("s", memory_bytes=GIB, memory_growth=growth, retry=policy)

    assert memory_restarts(asking) == restarts


def test_the_largest_quota_is_that_of_the_last_restart() -> None:
    asking = step("s", memory_bytes=GIB, memory_growth=DOUBLING, retry=RetryPolicy(memory_restarts=2))

    assert largest_quota_bytes(asking) == 4 * GIB


@pytest.mark.parametrize(
    ("growth", "text"),
    [
        (None, "1GiB"),
        (MemoryGrowth(), "1GiB * attempt"),
        (MemoryGrowth(1.5, 4 * GIB), "1GiB * 1.5 each time, at most 4GiB"),
    ],
)
def test_a_quota_reads(growth: MemoryGrowth | None, text: str) -> None:
    assert quota_text(step("s", memory_bytes=GIB, memory_growth=growth)) == text
