"""Names, cycles and order of steps as plain data, however they were made."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from actorflow.flows.checks import find_cycle, in_topological_order, structure_faults
from actorflow.flows.faults import Code
from actorflow.flows.graph import Graph, ListOf, Location, Output, Step
from tests.flows.steps import graphs, step


def names(steps: tuple[Step, ...]) -> list[str]:
    return [each.name for each in steps]


def test_steps_come_after_all_their_upstreams_and_else_as_they_were_written() -> None:
    steps = [step("d", "b", "c"), step("b", "a"), step("x"), step("a"), step("c", "a")]

    assert names(in_topological_order(steps)) == ["x", "a", "b", "c", "d"]


def test_a_cycle_is_told_with_its_path_and_the_place_of_each_step() -> None:
    steps = [
        step("start"),
        step("a", "c", "start", location=Location("flow.py", 2)),
        step("b", "a", location=Location("flow.py", 3)),
        step("c", inputs=(("x", ListOf((Output("b"),))),), location=Location("flow.py", 4)),
        step("below", "c"),
    ]

    (fault,) = structure_faults(steps)

    assert fault.code is Code.cycle
    assert fault.message.endswith("circle: a -> b -> c -> a")
    assert [(place.location.line, place.text) for place in fault.related] == [
        (2, "`a` waits for `c`"),
        (4, "`c` waits for `b`"),
        (3, "`b` waits for `a`"),
    ]


def test_a_step_that_waits_for_itself_is_a_cycle() -> None:
    (fault,) = structure_faults([step("a", "a")])

    assert fault.message.endswith("circle: a -> a")


def test_duplicate_and_unknown_names_are_told_together() -> None:
    steps = [step("load"), step("load", location=Location("flow.py", 9)), step("save", "laod")]

    faults = structure_faults(steps)

    assert [fault.code for fault in faults] == [Code.duplicate_name, Code.unknown_step]
    assert str(faults[0].location) == "flow.py:9"
    assert faults[1].help == "did you mean `load`?"


def test_a_limit_on_items_needs_a_map() -> None:
    plain = step("plain", max_in_flight=3)
    mapped = step("mapped", max_in_flight=3, mapped="x", inputs=(("x", Output("plain")),))

    faults = structure_faults([plain, mapped])

    assert [(fault.code, "`plain`" in fault.message) for fault in faults] == [(Code.max_in_flight_unmapped, True)]


@given(graphs(), st.randoms(use_true_random=False))
def test_every_order_of_writing_gives_an_order_in_which_each_step_follows_its_upstreams(
    graph: Graph, rng: random.Random
) -> None:
    shuffled = list(graph.steps)
    rng.shuffle(shuffled)

    ordered = in_topological_order(shuffled)

    assert sorted(names(ordered)) == sorted(names(graph.steps))
    seen: set[str] = set()
    for each in ordered:
        assert seen.issuperset(each.upstream())
        seen.add(each.name)


@given(graphs(), st.data())
def test_closing_a_circle_anywhere_is_found_and_the_path_is_one(graph: Graph, data: st.DataObject) -> None:
    steps = {each.name: each for each in graph.steps}
    assert find_cycle(graph.steps) == []
    if not steps:
        return
    # From any step to any that stands above it, or to itself: that closes a circle.
    low = data.draw(st.sampled_from(sorted(steps)))
    above = [low]
    for name in above:
        above += [other for other in steps[name].upstream() if other not in above]
    high = data.draw(st.sampled_from(above))
    closed = [*(each for each in graph.steps if each.name != high), with_after(steps[high], low)]

    cycle = find_cycle(closed)

    by_name = {each.name: each for each in closed}
    assert cycle
    assert len(set(cycle)) == len(cycle)
    assert all(
        following in by_name[name].upstream() for name, following in zip(cycle, [*cycle[1:], cycle[0]], strict=True)
    )


def with_after(each: Step, name: str) -> Step:
    return replace(each, after=(*each.after, name))


@given(graphs())
def test_a_graph_without_faults_has_none(graph: Graph) -> None:
    assert structure_faults(graph.steps) == []
