"""When a process makes room for a new one."""

from __future__ import annotations

import pytest

from actorflow_supervisors.recycling import Recycling

MIB = 1 << 20


@pytest.mark.parametrize(
    ("tasks", "age_s", "rss_bytes", "is_due"),
    [
        (9, 59.0, 100 * MIB, False),
        (10, 0.0, 0, True),
        (0, 60.0, 0, True),
        (0, 0.0, 100 * MIB + 1, True),
    ],
)
def test_any_limit_that_is_reached_makes_a_worker_worn(tasks: int, age_s: float, rss_bytes: int, is_due: bool) -> None:
    recycling = Recycling(max_tasks=10, max_age_s=60.0, max_rss_bytes=100 * MIB)

    assert recycling.is_due(tasks=tasks, age_s=age_s, rss_bytes=rss_bytes) is is_due


def test_without_limits_a_worker_serves_for_ever() -> None:
    recycling = Recycling(max_tasks=None, max_age_s=None, max_rss_bytes=None)

    assert not recycling.is_due(tasks=1 << 40, age_s=1e9, rss_bytes=1 << 50)


@pytest.mark.parametrize("name", ["max_tasks", "max_age_s", "max_rss_bytes"])
def test_a_limit_that_no_worker_can_meet_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is 0; it has to be more than 0"):
        Recycling(**{name: 0})


@pytest.mark.parametrize(
    ("recycling", "words"),
    [
        (Recycling(), "after 10,000 tasks, after 3,600 s, above 1,024 MiB"),
        (Recycling(max_tasks=1, max_age_s=None, max_rss_bytes=None), "after 1 task"),
        (Recycling(max_tasks=None, max_age_s=None, max_rss_bytes=None), "never"),
    ],
)
def test_it_says_for_people_when_that_is(recycling: Recycling, words: str) -> None:
    assert str(recycling) == words
