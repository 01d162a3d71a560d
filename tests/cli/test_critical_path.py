"""What held the end of a run up."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from actorflow.cli.critical_path import critical_path


@dataclass(frozen=True)
class Work:
    """Something that waits `queue_s` after the last of `upstream` (indices of earlier work), then runs `run_s`."""

    upstream: tuple[int, ...]
    queue_s: int
    run_s: int


@st.composite
def graphs(draw: st.DrawFn) -> list[Work]:
    size = draw(st.integers(1, 12))
    return [
        Work(
            tuple(draw(st.sets(st.integers(0, index - 1), max_size=3))) if index else (),
            draw(st.integers(0, 5)),
            draw(st.integers(1, 9)),
        )
        for index in range(size)
    ]


def ends(graph: list[Work]) -> list[int]:
    """When each has ended, all starting as early as they can."""
    found: list[int] = []
    for work in graph:
        found.append(max((found[one] for one in work.upstream), default=0) + work.queue_s + work.run_s)
    return found


def path_of(graph: list[Work]) -> list[int]:
    at = ends(graph)
    last = max(range(len(graph)), key=at.__getitem__)
    return critical_path(last, lambda one: [(up, float(at[up])) for up in graph[one].upstream])


@given(graphs())
def test_the_path_follows_the_graph_from_a_source_to_the_last_end(graph: list[Work]) -> None:
    path = path_of(graph)

    assert graph[path[0]].upstream == ()
    assert ends(graph)[path[-1]] == max(ends(graph))
    assert all(before in graph[after].upstream for before, after in pairwise(path))


@given(graphs())
def test_waiting_and_running_on_the_path_are_the_whole_of_the_time(graph: list[Work]) -> None:
    assert sum(graph[one].queue_s + graph[one].run_s for one in path_of(graph)) == max(ends(graph))


@given(graphs())
def test_nothing_off_the_path_would_have_made_it_sooner(graph: list[Work]) -> None:
    path = set(path_of(graph))
    hurried = [work if one in path else Work(work.upstream, 0, 0) for one, work in enumerate(graph)]

    assert max(ends(hurried)) == max(ends(graph))


def test_of_equally_late_ones_the_first_counts() -> None:
    assert critical_path("c", lambda one: [("a", 1.0), ("b", 1.0)] if one == "c" else []) == ["a", "c"]
