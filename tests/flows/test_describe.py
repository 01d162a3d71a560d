"""Graphs and plans as JSON, and a structure hash that every process agrees on."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorflow.flows.describe import graph_hash, graph_to_json, plain_json, plan_to_json
from actorflow.flows.graph import Const, Graph, Location, Output, Param, ParamSpec, RetryPolicy, TriggerRule
from actorflow.flows.plan import BoundParam, make_plan
from tests.flows.constant_flow import Colour, Model, Report, constants_dag
from tests.flows.steps import constants, graph_of, graphs, step
from tests.typing.flows_ok import stdlib_census, sums

PLAIN: list[tuple[object, object]] = [
    (None, None),
    (1, 1),
    ("a", "a"),
    ([1, (2, 3)], [1, [2, 3]]),
    ({1: Path("a")}, {"1": "a"}),
    (Colour.red, "red"),
    (Report(1, Path("b")), {"rows": 1, "by": "b"}),
    (Model(when=date(2026, 1, 2)), {"when": "2026-01-02"}),
    (Decimal("1.50"), "1.50"),
    ({3}, [3]),
]


@pytest.mark.parametrize(("value", "expected"), PLAIN)
def test_a_value_is_shown_as_plain_json(value: object, expected: object) -> None:
    assert plain_json(value) == expected


@given(graphs())
def test_every_graph_and_plan_is_json(graph: Graph) -> None:
    values = {param.name: BoundParam(1, "bind") for param in graph.params}

    described = json.loads(json.dumps([graph_to_json(graph), plan_to_json(make_plan(graph, values))]))

    assert [each["name"] for each in described[0]["steps"]] == [each.name for each in graph.steps]
    assert described[0]["hash"] == described[1]["hash"]


def test_the_json_of_a_graph_names_every_edge() -> None:
    described = graph_to_json(sums.graph)
    steps: Any = described["steps"]

    late = next(each for each in steps if each["name"] == "late")
    assert late["inputs"] == {"numbers": {"output": "scaled-2"}}
    assert late["after"] == ["scaled", "nothing"]
    assert late["upstream"] == ["scaled-2", "scaled", "nothing"]
    assert late["retry"]["attempts"] == 2
    assert described["result"] == {
        "dict": [["many", {"output": "adding-3"}], ["wide", {"output": "adding-4"}], ["both", {"output": "adding-2"}]]
    }


def test_the_json_of_a_plan_keeps_the_source_of_each_value() -> None:
    described = plan_to_json(make_plan(stdlib_census.graph, stdlib_census.bind(top=3).params))

    params: Any = described["params"]
    assert params["top"] == {"value": 3, "source": "bind"}
    assert params["root"]["source"] == "default"


BASE = graph_of(
    step("a", inputs=(("x", Param("p")), ("y", Const(1)))),
    step("b", inputs=(("x", Output("a")),)),
    params=(ParamSpec(name="p", annotation=int, required=False, default=1),),
    result=Output("b"),
)


def with_step(graph: Graph, position: int, **fields: Any) -> Graph:
    steps = list(graph.steps)
    steps[position] = replace(steps[position], **fields)
    return replace(graph, steps=tuple(steps))


SAME: dict[str, Graph] = {
    "moved in the file": replace(with_step(BASE, 0, location=Location("flow.py", 99)), location=Location("x.py", 2)),
    "another executor": with_step(BASE, 0, executor="thread"),
    "other limits": with_step(BASE, 0, timeout_s=3.0, memory_bytes=5, max_in_flight=2, deadline_s=9.0, cpus=2.0),
    "more retries": with_step(BASE, 0, retry=RetryPolicy(attempts=9)),
    "another default": replace(BASE, params=(replace(BASE.params[0], default=2),)),
    "steps in another order": replace(BASE, steps=tuple(reversed(BASE.steps))),
    "inputs in another order": with_step(BASE, 0, inputs=tuple(reversed(BASE.steps[0].inputs))),
}

OTHER: dict[str, Graph] = {
    "another task": with_step(BASE, 0, task="flow:other"),
    "another constant": with_step(BASE, 0, inputs=(("x", Param("p")), ("y", Const(2)))),
    "a constant of another type": with_step(BASE, 0, inputs=(("x", Param("p")), ("y", Const(True)))),
    "a constant for a parameter": with_step(BASE, 0, inputs=(("x", Const("p")), ("y", Const(1)))),
    "one edge less": with_step(BASE, 1, inputs=()),
    "an edge that passes nothing": with_step(BASE, 1, inputs=(), after=("a",)),
    "mapped": with_step(BASE, 1, mapped="x"),
    "another trigger rule": with_step(BASE, 1, trigger_rule=TriggerRule.always),
    "another result": replace(BASE, result=Output("a")),
    "another type of parameter": replace(BASE, params=(replace(BASE.params[0], annotation=str),)),
    "a step more": replace(BASE, steps=(*BASE.steps, step("c"))),
    "another name": replace(BASE, name="other"),
}


@pytest.mark.parametrize("change", SAME)
def test_the_structure_hash_stays_when_only_how_it_runs_changes(change: str) -> None:
    assert graph_hash(SAME[change]) == graph_hash(BASE)


@pytest.mark.parametrize("change", OTHER)
def test_the_structure_hash_changes_with_the_structure(change: str) -> None:
    assert graph_hash(OTHER[change]) != graph_hash(BASE)


@given(graphs(), st.randoms(use_true_random=False))
def test_the_structure_hash_does_not_depend_on_the_order_of_the_steps(graph: Graph, rng: random.Random) -> None:
    shuffled = list(graph.steps)
    rng.shuffle(shuffled)

    assert graph_hash(replace(graph, steps=tuple(shuffled))) == graph_hash(graph)


@given(constants, constants)
def test_different_constants_have_different_hashes(one: object, two: object) -> None:
    hashes = [graph_hash(graph_of(step("s", inputs=(("x", Const(value)),)))) for value in (one, two)]

    assert (hashes[0] == hashes[1]) == (repr_of(one) == repr_of(two))


def repr_of(value: object) -> str:
    """Equal for values that are the same in type and content; the order of a dict does not count."""
    if isinstance(value, dict):
        pairs = cast("dict[object, object]", value).items()
        return f"{{{sorted((repr(key), repr_of(item)) for key, item in pairs)}}}"
    if isinstance(value, list):
        return f"{[repr_of(item) for item in cast('list[object]', value)]}"
    return repr(value)


HASHING = """
from tests.flows.constant_flow import constants_dag
from actorflow.flows.describe import graph_hash
print(graph_hash(constants_dag.graph))
"""


def test_every_process_finds_the_same_hash_whatever_its_seed_for_strings() -> None:
    root = Path(__file__).parents[2]

    found = {
        subprocess.run(
            [sys.executable, "-c", HASHING],
            capture_output=True,
            text=True,
            check=True,
            cwd=root,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(root)},
        ).stdout.strip()
        for seed in ("0", "1")
    }

    assert found == {graph_hash(constants_dag.graph)}
