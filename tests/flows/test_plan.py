"""The plan: where each step runs, what it waits for, and what is refused because it could not be honoured."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from actorflow.flows.faults import Code, FlowFaults
from actorflow.flows.graph import Const, Graph, ListOf, Output, ParamSpec, Step, TaskKind
from actorflow.flows.plan import (
    KNOWN_EXECUTORS,
    BoundParam,
    ExecutorTraits,
    Plan,
    executor_of,
    graph_faults,
    make_plan,
)
from tests.flows.steps import graph_of, graphs, step

SYNC, CORO = TaskKind.sync, TaskKind.coroutine


def fault_codes(graph: Graph, **options: Any) -> list[Code]:
    with pytest.raises(FlowFaults) as caught:
        make_plan(graph, {}, **options)
    return [fault.code for fault in caught.value.faults]


EXECUTORS: list[tuple[TaskKind, str | None, int | None, str | None, str]] = [
    (SYNC, None, None, None, "process"),
    (CORO, None, None, None, "async"),
    (SYNC, "thread", None, None, "thread"),
    (CORO, "process", None, None, "process"),
    (SYNC, None, 1, None, "process"),
    (CORO, None, 1, None, "process"),
    (SYNC, None, None, "thread", "thread"),
    (CORO, None, None, "thread", "async"),
    (SYNC, None, None, "async", "process"),
    (CORO, None, None, "async", "async"),
    (SYNC, None, None, "process", "process"),
    (CORO, None, None, "process", "process"),
    (SYNC, None, 1, "thread", "process"),
    (SYNC, "process", None, "thread", "process"),
    (SYNC, None, None, "inline", "inline"),
    (CORO, None, None, "inline", "inline"),
    (SYNC, "thread", None, "inline", "inline"),
    (CORO, "process", 1, "inline", "inline"),
    (SYNC, "inline", None, None, "inline"),
]


@pytest.mark.parametrize(("kind", "own", "memory_bytes", "default", "expected"), EXECUTORS)
def test_a_step_runs_in(
    kind: TaskKind, own: str | None, memory_bytes: int | None, default: str | None, expected: str
) -> None:
    asking = step("s", kind=kind, executor=own, memory_bytes=memory_bytes)

    assert executor_of(asking, default) == expected


REFUSED: list[tuple[dict[str, Any], str | None, Code]] = [
    ({"executor": "thread", "timeout_s": 1.0}, None, Code.timeout_not_enforced),
    ({"timeout_s": 1.0}, "thread", Code.timeout_not_enforced),
    ({"executor": "inline", "timeout_s": 1.0}, None, Code.timeout_not_enforced),
    ({"executor": "thread", "deadline_s": 1.0}, None, Code.timeout_not_enforced),
    ({"executor": "thread", "cpus": 1.0, "affinity": True}, None, Code.affinity_not_enforced),
    ({"executor": "process", "cpus": 0.5, "affinity": True}, None, Code.affinity_not_enforced),
    ({"executor": "process", "affinity": True}, None, Code.affinity_not_enforced),
    ({"executor": "thread", "memory_bytes": 1}, None, Code.quota_not_enforced),
    ({"executor": "async", "memory_bytes": 1, "kind": CORO}, None, Code.quota_not_enforced),
    ({"executor": "async"}, None, Code.wrong_executor),
    ({"executor": "thread", "kind": CORO}, None, Code.wrong_executor),
    ({"executor": "proces"}, None, Code.unknown_executor),
    ({}, "proces", Code.unknown_executor),
    ({"why_not_importable": "it is a lambda"}, None, Code.not_importable),
    ({"why_not_importable": "it is a lambda"}, "process", Code.not_importable),
    ({"max_in_flight": 2}, None, Code.max_in_flight_unmapped),
]


@pytest.mark.parametrize(("fields", "default", "code"), REFUSED)
def test_what_could_not_be_honoured_is_refused(fields: dict[str, Any], default: str | None, code: Code) -> None:
    assert fault_codes(graph_of(step("s", **fields)), executor=default) == [code]


ACCEPTED: list[tuple[dict[str, Any], str | None]] = [
    ({"timeout_s": 1.0}, None),
    ({"deadline_s": 1.0}, None),
    ({"executor": "thread", "queue_timeout_s": 1.0}, None),
    ({"executor": "thread", "cpus": 0.5}, None),
    ({"executor": "process", "cpus": 1.0, "affinity": True}, None),
    ({"timeout_s": 1.0, "kind": CORO}, None),
    ({"timeout_s": 1.0, "kind": CORO}, "thread"),
    ({"memory_bytes": 1, "timeout_s": 1.0}, "thread"),
    ({"executor": "thread", "timeout_s": 1.0}, "inline"),
    ({"executor": "thread", "why_not_importable": "it is a lambda"}, None),
    ({"kind": CORO, "why_not_importable": "it is a lambda"}, None),
    ({"why_not_importable": "it is a lambda"}, "inline"),
    ({"why_not_importable": "it is a lambda"}, "thread"),
]


@pytest.mark.parametrize(("fields", "default"), ACCEPTED)
def test_what_can_be_honoured_is_planned(fields: dict[str, Any], default: str | None) -> None:
    assert make_plan(graph_of(step("s", **fields)), {}, executor=default).steps


def test_all_that_is_wrong_is_told_at_once() -> None:
    params = (ParamSpec(name="root", annotation=str, required=True),)
    graph = graph_of(step("a", "a"), step("b", executor="thread", timeout_s=1.0), params=params)

    with pytest.raises(FlowFaults) as caught:
        make_plan(graph, {"rot": BoundParam("x", "-p")}, executor="proces")

    assert {fault.code for fault in caught.value.faults} == {
        Code.unknown_parameter,
        Code.missing_parameter,
        Code.cycle,
        Code.timeout_not_enforced,
        Code.unknown_executor,
    }


def test_inline_says_which_limits_it_does_not_enforce() -> None:
    graph = graph_of(step("list_modules", timeout_s=30.0), step("census", memory_bytes=1), step("free"))

    assert make_plan(graph, {}, executor="inline").notes == (
        "inline does not enforce: memory of census, timeout of list_modules",
    )
    assert make_plan(graph, {}).notes == ()
    assert make_plan(graph_of(step("free")), {}, executor="inline").notes == ()


def test_executors_are_data_that_a_plug_in_may_add_to() -> None:
    more = {**KNOWN_EXECUTORS, "grid": ExecutorTraits(stop=True, quota=True, kinds=frozenset({SYNC}))}
    graph = graph_of(step("s", executor="grid", timeout_s=1.0))

    assert make_plan(graph, {}, executors=more).steps[0].executor == "grid"
    assert [fault.code for fault in graph_faults(graph.steps)] == [Code.unknown_executor]


def test_a_step_knows_its_depth_and_its_neighbours() -> None:
    graph = graph_of(step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c", "a"))

    planned = {each.step.name: each for each in make_plan(graph, {}).steps}

    assert {name: each.depth for name, each in planned.items()} == {"a": 0, "b": 1, "c": 1, "d": 2}
    assert planned["a"].downstream == ("b", "c", "d")
    assert planned["d"].upstream == ("b", "c", "a")


def mapped(name: str, over: Any, **more: Any) -> Step:
    return step(name, mapped="x", inputs=(("x", over), *more.items()))


@pytest.mark.parametrize(
    ("below", "expected"),
    [
        (mapped("below", Output("above")), "above"),
        (mapped("below", Output("plain")), None),
        (mapped("below", ListOf((Output("above"),))), None),
        (mapped("below", Const([1]), y=Output("above")), None),
        (step("below", inputs=(("x", Output("above")),)), None),
    ],
)
def test_a_map_is_elementwise_only_over_exactly_the_output_of_a_map(below: Step, expected: str | None) -> None:
    graph = graph_of(step("plain"), mapped("above", Output("plain")), below)

    assert make_plan(graph, {}).steps[2].elementwise == expected


def test_a_hand_built_graph_is_planned_in_topological_order() -> None:
    graph = graph_of(step("late", "early"), step("early"))

    assert [each.step.name for each in make_plan(graph, {}).steps] == ["early", "late"]


def test_every_parameter_has_a_value_with_its_source() -> None:
    params = (
        ParamSpec(name="root", annotation=str, required=True),
        ParamSpec(name="top", annotation=int, required=False, default=10),
    )

    plan = make_plan(graph_of(step("s"), params=params), {"root": BoundParam("data", "-p")})

    assert plan.params == {"root": BoundParam("data", "-p"), "top": BoundParam(10, "default")}


@given(graphs())
def test_a_plan_has_every_step_once_below_all_its_upstreams(graph: Graph) -> None:
    values = {param.name: BoundParam(1, "bind") for param in graph.params}

    plan: Plan = make_plan(graph, values)

    depth = {each.step.name: each.depth for each in plan.steps}
    assert sorted(depth) == sorted(each.name for each in graph.steps)
    for each in plan.steps:
        assert each.depth == max((depth[name] + 1 for name in each.upstream), default=0)
        for name in each.upstream:
            (above,) = [other for other in plan.steps if other.step.name == name]
            assert each.step.name in above.downstream
