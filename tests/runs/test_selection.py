"""Which steps a pattern selects, a row each, and what is refused."""

from __future__ import annotations

import pytest

from actorflow.flows.faults import FlowFaults
from actorflow.flows.graph import Const, Graph
from actorflow.runs.selection import left_out
from tests.runs.graphs import HERE, step

#  a1 -> b -> c -> d
#  a2 ---^    `--> e
STEPS = (step("a1"), step("a2"), step("b", "a1", "a2"), step("c", "b"), step("d", "c"), step("e", "c"))
GRAPH = Graph(name="g", module="m", location=HERE, params=(), steps=STEPS, result=Const(None))

ROWS: list[tuple[list[str], list[str], str]] = [
    (["b"], [], "b"),
    (["a*"], [], "a1 a2"),
    (["?1", "d"], [], "a1 d"),
    (["+c"], [], "a1 a2 b c"),
    (["c+"], [], "c d e"),
    (["1+c+1"], [], "b c d e"),
    (["2+d"], [], "b c d"),
    (["0+c+0"], [], "c"),
    (["+c+"], [], "a1 a2 b c d e"),
    (["a*+1"], [], "a1 a2 b"),
    ([], ["d"], "a1 a2 b c e"),
    ([], ["c+"], "a1 a2 b"),
    (["+d"], ["a1"], "a2 b c d"),
]


@pytest.mark.parametrize(("select", "exclude", "expected"), ROWS, ids=[f"{row[0]}-{row[1]}" for row in ROWS])
def test_a_pattern_selects_what_its_row_says(select: list[str], exclude: list[str], expected: str) -> None:
    names = {each.name for each in STEPS}

    assert names - left_out(GRAPH, select, exclude) == set(expected.split())


def test_without_patterns_nothing_is_left_out() -> None:
    assert left_out(GRAPH) == frozenset()


def test_every_pattern_that_fits_nothing_is_told_with_the_nearest_name() -> None:
    with pytest.raises(FlowFaults) as refusal:
        left_out(GRAPH, ["+a11", "x++"], ["zz*"])

    messages = [fault.message for fault in refusal.value.faults]
    assert len(messages) == 3
    assert any("`--select +a11` fits no step" in message for message in messages)
    assert any(fault.help == "did you mean `a1`?" for fault in refusal.value.faults)


def test_a_run_of_nothing_is_refused() -> None:
    with pytest.raises(FlowFaults, match="no step of dag `g` is selected"):
        left_out(GRAPH, ["b"], ["b"])
