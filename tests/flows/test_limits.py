"""The limits of a run: what an attempt counts for by the table, and what can never run is refused at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from actorflow.flows.faults import Code, FlowFaults
from actorflow.flows.graph import MemoryGrowth, TaskKind
from actorflow.flows.limits import DEFAULT_MEMORY_BYTES, Caps, Need, RunLimits, caps_of, need_of
from actorflow.flows.plan import make_plan
from tests.flows.steps import graph_of, step

MIB = 1024**2
BOTH = Caps(max_memory_bytes=1024 * MIB, max_cpus=4.0)

NEEDS: list[tuple[dict[str, Any], str, Caps, Need]] = [
    ({"memory_bytes": 5, "cpus": 2.0}, "process", BOTH, Need(5, 2.0)),
    ({}, "process", BOTH, Need(DEFAULT_MEMORY_BYTES, 1.0)),
    ({}, "thread", BOTH, Need(0, 0.0)),
    ({}, "async", BOTH, Need(0, 0.0)),
    ({"cpus": 0.5}, "thread", BOTH, Need(0, 0.5)),
    ({"memory_bytes": 5, "cpus": 2.0}, "inline", BOTH, Need()),
    ({"memory_bytes": 5, "cpus": 2.0}, "process", Caps(), Need()),
    ({"memory_bytes": 5, "cpus": 2.0}, "process", Caps(max_cpus=4.0), Need(0, 2.0)),
    ({}, "process", Caps(max_memory_bytes=9, default_memory_bytes=3), Need(3, 0.0)),
]


@pytest.mark.parametrize(("fields", "executor", "caps", "need"), NEEDS)
def test_an_attempt_counts_for(fields: dict[str, Any], executor: str, caps: Caps, need: Need) -> None:
    assert need_of(step("s", **fields), executor, caps) == need


def test_an_attempt_with_a_grown_quota_counts_for_that() -> None:
    growing = step("s", memory_bytes=5, memory_growth=MemoryGrowth())

    assert need_of(growing, "process", BOTH, ran_out=2).memory_bytes == 15


def planned(*steps: Any, **limits: Any) -> Any:
    return make_plan(graph_of(*steps), {}, limits=RunLimits(**limits), cpu_ids=(0, 1, 2, 3))


def refused(*steps: Any, **limits: Any) -> list[tuple[Code, str]]:
    with pytest.raises(FlowFaults) as caught:
        planned(*steps, **limits)
    return [(fault.code, fault.message) for fault in caught.value.faults]


def test_cpus_are_limited_to_those_there_are_once_a_task_says_how_many_it_uses() -> None:
    assert planned(step("a")).caps.max_cpus is None
    assert planned(step("a", cpus=2.0)).caps.max_cpus == 4.0
    assert planned(step("a"), max_cpus=1.5).caps.max_cpus == 1.5


def test_all_tasks_that_can_never_run_are_refused_at_once() -> None:
    steps = [step("a", memory_bytes=2 * MIB), step("b", cpus=5.0, memory_bytes=1), step("c", memory_bytes=MIB)]

    assert refused(*steps, max_memory="1MiB") == [
        (Code.above_memory_limit, "step `a` needs 2MiB, and the run may use 1MiB at once"),
        (Code.above_cpu_limit, "step `b` needs 5 CPUs, and the run may use 4"),
    ]


def test_a_quota_that_would_grow_above_the_limit_is_refused_before_it_does() -> None:
    growing = step("a", memory_bytes=MIB, memory_growth=MemoryGrowth())

    assert refused(growing, max_memory="1MiB") == [
        (
            Code.above_memory_limit,
            "step `a` needs 2MiB in its last attempt (1MiB in its first), and the run may use 1MiB at once",
        )
    ]


def test_a_task_that_declares_nothing_counts_for_the_default_and_the_plan_says_so() -> None:
    assert refused(step("a"), max_memory="100MiB") == [
        (
            Code.above_memory_limit,
            "step `a` declares no memory and counts for 256MiB, and the run may use 100MiB at once",
        )
    ]
    plan = planned(step("a"), step("b", kind=TaskKind.coroutine), max_memory="100MiB", default_memory="50MiB")
    assert plan.notes == ("no memory declared, counted as 50MiB of 100MiB: a",)


def test_inline_counts_for_nothing_and_is_never_refused() -> None:
    plan = make_plan(
        graph_of(step("a", memory_bytes=9, cpus=99.0)), {}, executor="inline", limits=RunLimits(max_memory=1)
    )

    assert plan.steps[0].need == Need()


def test_what_the_run_is_told_goes_before_what_its_dag_says() -> None:
    graph = replace(graph_of(), timeout_s=60.0, max_memory_bytes=7)

    own = caps_of(graph, RunLimits(), ())
    told = caps_of(graph, RunLimits(timeout="5s", max_memory=9), ())
    lifted = caps_of(graph, RunLimits(timeout=0, max_memory=0), ())

    assert (own.timeout_s, own.max_memory_bytes) == (60.0, 7)
    assert (told.timeout_s, told.max_memory_bytes) == (5.0, 9)
    assert (lifted.timeout_s, lifted.max_memory_bytes) == (None, None)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"timeout": "5 parsecs"}, "is no duration"),
        ({"max_memory": "4G"}, "is no size"),
        ({"default_memory": -1}, "not negative"),
        ({"max_cpus": 0}, "above 0"),
    ],
)
def test_limits_that_are_none_are_refused_where_they_are_made(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        RunLimits(**wrong)
