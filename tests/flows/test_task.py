"""A task is its function with options: outside a dag it is called as it was written, inside it adds a step."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from actorflow.flows.dag import dag
from actorflow.flows.faults import Code, FlowFaults
from actorflow.flows.graph import Graph, MemoryGrowth, RetryPolicy, Step, TaskKind, TriggerRule
from actorflow.flows.load import resolve_function
from actorflow.flows.retry import Retry
from actorflow.flows.task import Task, task


@task
def doubled(number: int, by: int = 2) -> int:
    """Twice as much."""
    return number * by


@task
async def fetched(url: str) -> str:
    return f"page of {url}"


@task(
    retry=Retry(attempts=5), timeout="30s", memory="1MiB", executor="process", trigger_rule="all_done", name="careful"
)
def picky(number: int) -> int:
    return number


def step_of(call: Callable[[], object]) -> Step:
    @dag
    def pipeline() -> None:
        call()

    return pipeline.graph.steps[-1]


def codes_of(call: Callable[[], object]) -> list[Code]:
    @dag
    def pipeline() -> None:
        call()

    with pytest.raises(FlowFaults) as caught:
        _ = pipeline.graph
    return [fault.code for fault in caught.value.faults]


def test_a_def_task_called_outside_a_dag_runs_its_function() -> None:
    assert doubled(4) == 8
    assert doubled(4, by=3) == 12


def test_an_async_def_task_called_outside_a_dag_raises_and_names_its_function() -> None:
    with pytest.raises(FlowFaults, match=r"`await fetched.fn\(...\)`") as caught:
        fetched("a")

    assert [fault.code for fault in caught.value.faults] == [Code.called_outside]


def test_a_map_called_outside_a_dag_raises_and_shows_the_loop_to_write() -> None:
    with pytest.raises(FlowFaults, match=r"`\[doubled.fn\(item\) for item in items\]`"):
        doubled.map([1, 2])


@pytest.mark.anyio
async def test_the_plain_function_of_a_task_is_there_for_unit_tests(anyio_backend: str) -> None:
    assert await fetched.fn("a") == "page of a"
    assert doubled.fn(3) == 6


def test_a_task_keeps_the_name_the_words_and_the_signature_of_its_function() -> None:
    assert doubled.__doc__ == "Twice as much."
    assert vars(doubled)["__name__"] == "doubled"
    assert str(inspect.signature(doubled)) == "(number: 'int', by: 'int' = 2) -> 'int'"
    assert repr(doubled) == f"<task doubled ({__name__}:doubled)>"


def test_the_options_of_a_task_are_those_of_its_steps() -> None:
    step = step_of(lambda: picky(1))

    assert step.name == "careful"
    assert step.retry == Retry(attempts=5).policy()
    assert (step.timeout_s, step.memory_bytes, step.executor) == (30.0, 1_048_576, "process")
    assert step.trigger_rule is TriggerRule.all_done
    assert step.task == f"{__name__}:picky"


def test_a_task_without_options_has_the_defaults() -> None:
    step = step_of(lambda: fetched("a"))

    assert step.kind is TaskKind.coroutine
    assert step.retry == RetryPolicy()
    assert (step.timeout_s, step.memory_bytes, step.executor, step.max_in_flight) == (None, None, None, None)
    assert step.trigger_rule is TriggerRule.all_success


def test_options_of_a_call_go_over_those_of_the_task_and_leave_the_task_as_it_is() -> None:
    changed = step_of(lambda: picky.options(timeout=5, name="hasty")(1))
    unchanged = step_of(lambda: picky(1))

    assert (changed.name, changed.timeout_s, changed.memory_bytes) == ("hasty", 5.0, 1_048_576)
    assert (unchanged.name, unchanged.timeout_s) == ("careful", 30.0)


def test_limits_reach_the_step_and_a_plain_quota_ends_its_growth() -> None:
    growing = doubled.options(deadline="1h", queue_timeout="5m", cpus=2, affinity=True, memory="1MiB * attempt")

    step = step_of(lambda: growing(1))
    plain = step_of(lambda: growing.options(memory="2MiB", affinity=False)(1))

    assert (step.deadline_s, step.queue_timeout_s, step.cpus, step.affinity) == (3600.0, 300.0, 2.0, True)
    assert (step.memory_bytes, step.memory_growth) == (1_048_576, MemoryGrowth())
    assert (plain.memory_bytes, plain.memory_growth, plain.affinity) == (2 * 1_048_576, None, False)


def test_a_retry_policy_is_taken_as_it_is() -> None:
    policy = RetryPolicy(attempts=7)

    assert step_of(lambda: doubled.options(retry=policy)(1)).retry is policy


WRONG_OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "timeout without a unit": ({"timeout": "30"}, "has no unit"),
    "timeout of nothing": ({"timeout": 0}, "more than 0"),
    "memory with half a unit": ({"memory": "256M"}, '"256MiB" or "256MB"'),
    "deadline of nothing": ({"deadline": 0}, "more than 0"),
    "queue timeout in words": ({"queue_timeout": "a while"}, "is no duration"),
    "no cpus": ({"cpus": 0}, "a number of CPUs above 0"),
    "cpus in words": ({"cpus": "all"}, "a number of CPUs above 0"),
    "affinity to a number": ({"affinity": 2}, "True or False, not 2"),
    "memory that grows otherwise": ({"memory": "1GiB * tries"}, 'write "1GiB"'),
    "memory of nothing": ({"memory": 0}, "more than 0"),
    "retry as a number": ({"retry": 3}, r"Retry\(attempts=3"),
    "retry with a wrong field": ({"retry": Retry(attempts=0)}, "attempts"),
    "executor as a number": ({"executor": 3}, "name of an executor"),
    "trigger rule with a typo": ({"trigger_rule": "all_succes"}, "did you mean `all_success`"),
    "name with a space": ({"name": "my task"}, "starts with a letter"),
    "name that looks like an index": ({"name": "task[3]"}, "starts with a letter"),
    "max_in_flight of nothing": ({"max_in_flight": 0}, "1 or more"),
}


@pytest.mark.parametrize("case", WRONG_OPTIONS)
def test_a_wrong_option_is_told_when_the_dag_is_built_and_not_at_import(case: str) -> None:
    options, why = WRONG_OPTIONS[case]

    @task(**options)
    def wrong() -> int:
        return 1

    @dag
    def pipeline() -> int:
        return wrong()

    with pytest.raises(FlowFaults, match=why) as caught:
        _ = pipeline.graph
    assert {fault.code for fault in caught.value.faults} == {Code.bad_option}


def test_all_wrong_options_are_told_at_once() -> None:
    @task(timeout="soon", memory="much", executor="")
    def wrong() -> int:
        return 1

    assert codes_of(wrong) == [Code.bad_option] * 3


def test_an_after_that_is_a_single_name_is_refused() -> None:
    assert codes_of(lambda: doubled.options(after="load")(1)) == [Code.bad_option]


def generator() -> Iterator[int]:
    yield 1


async def async_generator() -> AsyncIterator[int]:
    yield 1


def with_positions(path: str, /) -> int:
    return len(path)


def with_many(*paths: str) -> int:
    return len(paths)


@pytest.mark.parametrize("fn", [generator, async_generator, with_positions, with_many])
def test_a_function_that_no_run_could_call_is_refused(fn: Callable[..., object]) -> None:
    assert Code.bad_function in codes_of(lambda: task(fn)("a"))


def test_a_task_with_any_keywords_takes_them() -> None:
    @task
    def loose(first: int, **rest: int) -> int:
        return first

    step = step_of(lambda: loose(1, more=2))

    assert [name for name, _ in step.inputs] == ["first", "more"]
    assert codes_of(lambda: loose(1, more="x")) == [Code.type_mismatch]  # type: ignore[arg-type]


class Tools:
    """A class with a task in it, right and wrong."""

    @staticmethod
    @task
    def helper(number: int) -> int:
        return number

    @task
    def method(self) -> int:
        return 1


def test_a_method_is_refused_and_a_static_method_is_not() -> None:
    assert Code.bad_function in codes_of(lambda: Tools.method(Tools()))
    assert step_of(lambda: Tools.helper(1)).task == f"{__name__}:Tools.helper"
    assert resolve_function(f"{__name__}:Tools.helper") is Tools.helper.fn


@pytest.mark.parametrize("thing", [3, "load", Tools, doubled, None.__class__])
def test_only_a_function_becomes_a_task(thing: Any) -> None:
    with pytest.raises(FlowFaults, match="put it above a `def`"):
        task(thing)


def test_a_plain_function_of_another_module_becomes_a_task_that_workers_find() -> None:
    joined = task(inspect.cleandoc)

    step = step_of(lambda: joined("a"))

    assert step.task == "inspect:cleandoc"
    assert step.why_not_importable == ""


def made_inside() -> Task[[], int]:
    @task
    def inner() -> int:
        return 1

    return inner


@task
def first_version() -> int:
    return 1


shadowed = first_version
first_version = task(lambda: 2)  # what a second `def` of the same name does


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (made_inside, "defined inside a function"),
        (lambda: task(lambda: 1), "a lambda"),
        (lambda: shadowed, "something else by now"),
    ],
)
def test_a_task_that_no_worker_could_import_says_why(made: Callable[[], Task[[], int]], why: str) -> None:
    assert why in step_of(made()).why_not_importable


def test_tasks_of_one_name_from_a_factory_keep_their_own_functions() -> None:
    one, two = made_inside(), made_inside()

    @dag
    def pipeline() -> list[int]:
        return [one(), two()]

    graph: Graph = pipeline.graph
    assert [step.name for step in graph.steps] == ["inner", "inner-2"]
    assert [pipeline.functions[step.task] for step in graph.steps] == [one.fn, two.fn]
