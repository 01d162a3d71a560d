"""Which results a replay takes over, and which steps it runs anew."""

from __future__ import annotations

from dataclasses import replace

import pytest

from actorflow.flows.faults import FlowFaults
from actorflow.flows.graph import Const, Graph, Param
from actorflow.runs.events import RunStarted
from actorflow.runs.replay import other_values, run_anew, taken_over
from actorflow.runs.restore import Past, PastStage
from actorflow.runs.states import RunStatus
from actorflow.runs.values import Value
from tests.runs.graphs import HERE, plan_of, step

#  a -> b -> c,  p (a parameter) -> d -> c
D = replace(step("d"), inputs=(("x", Param("p")),))
STEPS = (step("a"), step("b", "a"), D, step("c", "b", "d"))
GRAPH = Graph(name="g", module="m", location=HERE, params=(), steps=STEPS, result=Const(None))


@pytest.mark.parametrize(
    ("start", "changed", "anew"),
    [
        (["c"], [], "c"),
        (["b"], [], "b c"),
        (["a"], [], "a b c"),
        (["c"], ["p"], "c d"),
        ([], ["p"], "c d"),
        ([], [], ""),
    ],
)
def test_what_comes_after_a_change_runs_anew(start: list[str], changed: list[str], anew: str) -> None:
    assert run_anew(GRAPH, start, changed) == set(anew.split())


def test_a_step_that_there_is_not_is_refused_with_the_nearest() -> None:
    with pytest.raises(FlowFaults, match="did you mean `a`"):
        run_anew(GRAPH, ["aa"], [])


def test_parameters_are_compared_by_value() -> None:
    before = {"p": Value.of([1, 2]), "q": Value.of("x")}

    assert other_values(before, {"p": [1, 2], "q": "y", "new": 1}) == {"q", "new"}


def past(**results: Value) -> Past:
    stages = {name: PastStage(opened=True, results={0: value}) for name, value in results.items()}
    header = RunStarted(run_id="r", dag="g", file="g.py", module="g")
    return Past(header=header, stages=stages, status=RunStatus.failed)


def test_results_are_taken_over_of_all_but_what_runs_anew() -> None:
    plan = plan_of(step("a"), step("b", "a"), step("c", "b"))

    taken = taken_over(past(a=Value.of(1), b=Value.of(2), c=Value.of(3)), plan, {"c"}, lambda value: True)

    assert {name: stage.results[0].get() for name, stage in taken.stages.items()} == {"a": 1, "b": 2}
    assert all(stage.reused and not stage.opened for stage in taken.stages.values())


def test_a_value_that_is_gone_is_made_anew_only_where_somebody_reads_it() -> None:
    plan = plan_of(step("a"), step("b", "a"), step("c", "b"))
    gone = {Value.of("a"), Value.of("b")}
    former = past(a=Value.of("a"), b=Value.of("b"), c=Value.of("c"))

    nobody_reads_a = taken_over(former, plan, {"c"}, lambda value: value != Value.of("a"))
    both = taken_over(former, plan, {"c"}, lambda value: value not in gone)

    assert set(nobody_reads_a.stages) == {"a", "b"}
    assert nobody_reads_a.stages["a"].results[0].get() is None
    assert set(both.stages) == set()
