"""A dag function is traced once to a graph: every call a step, every argument an edge, a parameter or a constant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from actorflow.flows.dag import Dag, dag
from actorflow.flows.describe import graph_hash
from actorflow.flows.faults import Code, Fault, FlowFaults
from actorflow.flows.graph import Const, DictOf, Input, ListOf, Location, Output, Param, Step
from actorflow.flows.task import task

if TYPE_CHECKING:
    from decimal import Decimal


@task
def files(root: Path) -> list[Path]:
    raise AssertionError("a body ran")


@task
def size(path: Path, unit: int = 1) -> int:
    raise AssertionError("a body ran")


@task
def total(sizes: list[int], title: str = "") -> int:
    raise AssertionError("a body ran")


@task
def anything(value: Any) -> Any:
    raise AssertionError("a body ran")


# For uses that a type checker refuses.
LOOSE_SIZE: Any = size
LOOSE_TOTAL: Any = total
LOOSE_FILES: Any = files


def hidden_in_a_point(value: object) -> object:
    return Point(1, value)


def inputs(step: Step) -> dict[str, Input]:
    return dict(step.inputs)


def faults_of(pipeline: Dag[..., Any]) -> tuple[Fault, ...]:
    with pytest.raises(FlowFaults) as caught:
        _ = pipeline.graph
    return caught.value.faults


def codes_of(pipeline: Dag[..., Any]) -> list[Code]:
    return [fault.code for fault in faults_of(pipeline)]


def test_outputs_parameters_and_constants_become_inputs_by_name() -> None:
    @dag
    def pipeline(root: Path) -> int:
        return total([size(root), 3], "all")

    steps = pipeline.graph.steps

    assert inputs(steps[0]) == {"path": Param("root")}
    assert inputs(steps[1]) == {"sizes": ListOf((Output("size"), Const(3))), "title": Const("all")}
    assert pipeline.graph.result == Output("total")


def test_arguments_are_kept_in_the_order_of_the_signature_however_they_are_given() -> None:
    @dag
    def one(root: Path) -> int:
        return size(unit=2, path=root)

    @dag
    def two(root: Path) -> int:
        return size(root, 2)

    assert one.graph.steps[0].inputs == two.graph.steps[0].inputs


def test_a_default_of_a_task_is_no_input() -> None:
    @dag
    def pipeline(root: Path) -> int:
        return size(root)

    assert list(inputs(pipeline.graph.steps[0])) == ["path"]


def test_outputs_are_found_inside_nested_lists_tuples_and_dicts() -> None:
    @dag
    def pipeline(root: Path) -> Any:
        found = size(root)
        return anything({"deep": [1, (found, {"deeper": root})], "plain": [1, {"a": (2,)}]})

    assert inputs(pipeline.graph.steps[1])["value"] == DictOf(
        (
            (
                "deep",
                ListOf(
                    (
                        Const(1),
                        ListOf((Output("size"), DictOf((("deeper", Param("root")),))), as_tuple=True),
                    )
                ),
            ),
            ("plain", Const([1, {"a": (2,)}])),
        )
    )


def test_a_list_that_grows_after_the_call_does_not_change_the_step() -> None:
    @dag
    def pipeline() -> Any:
        values = [1, 2]
        first = anything(values)
        values.append(3)
        return anything([first, values])

    assert inputs(pipeline.graph.steps[0])["value"] == Const([1, 2])


class Point(NamedTuple):
    x: object
    y: object


@dataclass
class Holder:
    inside: object


@pytest.mark.parametrize("hide", [Holder, hidden_in_a_point])
def test_an_output_hidden_in_an_object_is_refused_and_not_lost(hide: Callable[[object], object]) -> None:
    @dag
    def pipeline(root: Path) -> Any:
        return anything(hide(size(root)))

    assert codes_of(pipeline) == [Code.unresolved_use]
    assert "hidden inside" in str(faults_of(pipeline)[0])


def test_an_output_of_another_dag_is_refused() -> None:
    leaked: list[Any] = []

    @dag
    def one(root: Path) -> int:
        leaked.append(size(root))
        return size(root)

    @dag
    def two(root: Path) -> Any:
        return anything(leaked[0])

    assert one.graph.name == "one"
    assert codes_of(two) == [Code.unresolved_use]
    assert "belongs to another dag" in str(faults_of(two)[0])


def test_a_task_used_again_gets_a_number_and_keeps_its_task() -> None:
    @dag
    def pipeline(root: Path) -> list[int]:
        return [size(root), size(root), size.options(name="size-2")(root), size(root)]

    assert codes_of(pipeline) == [Code.duplicate_name]

    @dag
    def better(root: Path) -> list[int]:
        return [size.options(name="size-2")(root), size(root), size(root)]

    assert [step.name for step in better.graph.steps] == ["size-2", "size", "size-3"]
    assert {step.task for step in better.graph.steps} == {f"{__name__}:size"}


def test_a_map_is_one_step_whose_first_parameter_takes_the_items() -> None:
    @dag
    def pipeline(root: Path) -> list[int]:
        return size.map(files(root), unit=2)

    step = pipeline.graph.steps[1]

    assert step.mapped == "path"
    assert inputs(step) == {"path": Output("files"), "unit": Const(2)}


def test_a_map_of_a_map_feeds_index_to_index() -> None:
    @task
    def rounded(number: int) -> float:
        return number

    @dag
    def pipeline(root: Path) -> list[float]:
        return rounded.map(size.map(files(root)))

    assert inputs(pipeline.graph.steps[2]) == {"number": Output("size")}
    assert [step.mapped for step in pipeline.graph.steps] == [None, "path", "number"]


MAPPED: dict[str, tuple[Callable[[Any], Any], Input]] = {
    "a list": (lambda root: [Path("a"), Path("b")], Const([Path("a"), Path("b")])),
    "a tuple": (lambda root: (Path("a"),), Const([Path("a")])),
    "a generator": (lambda root: (Path(name) for name in "ab"), Const([Path("a"), Path("b")])),
    "an empty list": (lambda root: [], Const([])),
    "the keys of a dict": (lambda root: {Path("a"): 1}, Const([Path("a")])),
    "a list of outputs and parameters": (
        lambda root: [root, anything(1)],
        ListOf((Param("root"), Output("anything"))),
    ),
    "an output": (files, Output("files")),
}


@pytest.mark.parametrize("case", MAPPED)
def test_a_map_goes_over(case: str) -> None:
    make, expected = MAPPED[case]

    @dag
    def pipeline(root: Path) -> list[int]:
        return size.map(make(root))

    step = pipeline.graph.steps[-1]
    assert inputs(step)["path"] == expected


def test_a_map_goes_over_a_parameter_and_its_constants_may_be_outputs_and_parameters() -> None:
    @task
    def scaled(number: int, factor: int, names: list[str]) -> int:
        raise AssertionError("a body ran")

    @dag
    def pipeline(numbers: list[int], root: Path, name: str) -> list[int]:
        return scaled.map(numbers, size(root), names=[name])

    assert inputs(pipeline.graph.steps[1]) == {
        "number": Param("numbers"),
        "factor": Output("size"),
        "names": ListOf((Param("name"),)),
    }


@task
def one_word() -> str:
    raise AssertionError("a body ran")


@task
def some_words() -> set[str]:
    raise AssertionError("a body ran")


@task
def length(word: str) -> int:
    raise AssertionError("a body ran")


@task
def constant() -> int:
    raise AssertionError("a body ran")


@pytest.mark.parametrize(
    ("items", "why"),
    [
        (lambda: 3, "not iterable"),
        (constant, "not iterable"),
        (lambda: "abc", "letter by letter"),
        (one_word, "letter by letter"),
        (lambda: {"a", "b"}, "no order"),
        (some_words, "no order"),
    ],
)
def test_a_map_over_what_has_no_lasting_items_is_refused(items: Callable[[], Any], why: str) -> None:
    @dag
    def pipeline() -> list[int]:
        return length.map(items())

    assert codes_of(pipeline) == [Code.bad_map]
    assert why in str(faults_of(pipeline)[0])


def test_a_map_needs_a_parameter_for_the_items() -> None:
    @dag
    def pipeline() -> Any:
        loose: Any = constant
        return loose.map([1])

    assert codes_of(pipeline) == [Code.bad_map]


RETURNED: dict[str, tuple[Callable[[Any], Any], Input]] = {
    "an output": (size, Output("size")),
    "a parameter": (lambda root: root, Param("root")),
    "nothing": (lambda root: None, Const(None)),
    "a constant": (lambda root: 3, Const(3)),
    "a list": (lambda root: [size(root), root], ListOf((Output("size"), Param("root")))),
    "a dict": (lambda root: {"size": size(root)}, DictOf((("size", Output("size")),))),
    "a tuple": (lambda root: (size(root),), ListOf((Output("size"),), as_tuple=True)),
}


@pytest.mark.parametrize("case", RETURNED)
def test_a_dag_may_return(case: str) -> None:
    result, expected = RETURNED[case]

    @dag
    def pipeline(root: Path) -> Any:
        return result(root)

    assert pipeline.graph.result == expected


def test_what_a_dag_returns_is_of_its_return_annotation() -> None:
    @dag
    def pipeline(root: Path) -> list[str]:
        return [LOOSE_SIZE(root)]

    assert codes_of(pipeline) == [Code.type_mismatch]
    assert "dag `pipeline` returns `list[str]`, but inside it the output of `size` is `int`" in str(
        faults_of(pipeline)[0]
    )


def test_a_step_that_nothing_returns_is_part_of_the_graph() -> None:
    @dag
    def pipeline(root: Path) -> None:
        size(root)

    assert [step.name for step in pipeline.graph.steps] == ["size"]


def test_the_parameters_of_a_dag_are_its_typed_signature() -> None:
    @dag
    def pipeline(root: Path, *, top: int = 10, title: str | None = None) -> None:
        return None

    params = pipeline.graph.params

    assert [(param.name, param.annotation, param.required, param.default) for param in params] == [
        ("root", Path, True, None),
        ("top", int, False, 10),
        ("title", str | None, False, None),
    ]


def test_a_dag_function_runs_once_and_only_when_its_graph_is_needed() -> None:
    calls: list[int] = []

    @dag
    def pipeline() -> None:
        calls.append(1)

    before = list(calls)
    graphs = [pipeline.graph, pipeline.graph]

    assert before == []
    assert calls == [1]
    assert graphs[0] is graphs[1]


def test_plain_helpers_called_by_a_dag_may_call_tasks() -> None:
    def sized(root: Path) -> int:
        return total(size.map(files(root)))

    @dag
    def pipeline(root: Path) -> int:
        return sized(root)

    assert [step.name for step in pipeline.graph.steps] == ["files", "size", "total"]


def test_after_takes_outputs_and_names_in_any_order_of_writing() -> None:
    @dag
    def pipeline(root: Path) -> int:
        first = size(root)
        last = total.options(after=["late", first])([1])
        size.options(name="late")(root)
        return last

    steps = {step.name: step for step in pipeline.graph.steps}

    assert steps["total"].after == ("late", "size")
    assert [step.name for step in pipeline.graph.steps] == ["size", "late", "total"]


def test_an_after_on_a_parameter_is_refused() -> None:
    @dag
    def pipeline(root: Path) -> int:
        return size.options(after=[root])(root)

    assert codes_of(pipeline) == [Code.bad_option]


def test_an_edge_of_the_wrong_type_names_both_places() -> None:
    @dag
    def pipeline(root: Path) -> int:
        return total(LOOSE_FILES(root))

    (fault,) = faults_of(pipeline)

    assert fault.code is Code.type_mismatch
    assert "`total` takes `sizes: list[int]`, but the output of `files` is `list[Path]`" in fault.message
    written = ["def files(root: Path) -> list[Path]:", 'def total(sizes: list[int], title: str = "") -> int:']
    lines = Path(__file__).read_text().splitlines()
    assert [place.location for place in fault.related] == [
        Location(__file__, lines.index(line) + 1) for line in written
    ]


def test_an_edge_that_comes_as_many_says_to_map() -> None:
    @dag
    def pipeline(root: Path) -> int:
        return size(LOOSE_FILES(root))

    assert "use `.map(...)`" in faults_of(pipeline)[0].help


def test_a_single_value_for_a_list_says_to_wrap_it() -> None:
    @dag
    def pipeline(root: Path) -> int:
        return total(LOOSE_SIZE(root))

    assert "wrap it in a list" in faults_of(pipeline)[0].help


def test_all_faults_of_a_dag_are_told_at_once_in_the_order_of_the_file() -> None:
    @dag
    def pipeline(root: Path) -> Any:
        LOOSE_SIZE("here")
        LOOSE_TOTAL()
        LOOSE_SIZE(root, units=2)
        LOOSE_SIZE.options(timeout="soon", after=["sise"])(root)
        return LOOSE_TOTAL(files(root))[0]

    assert codes_of(pipeline) == [
        Code.type_mismatch,
        Code.wrong_arguments,
        Code.wrong_arguments,
        Code.bad_option,
        Code.type_mismatch,
        Code.unresolved_use,
    ]


def test_a_step_that_was_still_to_come_is_not_called_unknown() -> None:
    @dag
    def pipeline(root: Path) -> int:
        first = size.options(after=["late"])(root)
        if first:
            return 1
        return size.options(name="late")(root)

    assert codes_of(pipeline) == [Code.unresolved_use]


MISFITS: dict[str, Callable[[], Any]] = {
    "is called without `path: Path`": LOOSE_SIZE,
    "takes 2 arguments by position, 3 are given": lambda: LOOSE_SIZE(Path(), 1, 2),
    "is given `path` twice": lambda: LOOSE_SIZE(Path(), path=Path()),
    "has no parameter `unti`": lambda: LOOSE_SIZE(Path(), unti=3),
    "takes 1 argument by position, 2 are given": lambda: LOOSE_SIZE.map([Path()], 1, 2),
    "`size` is given `path` twice": lambda: LOOSE_SIZE.map([Path()], path=Path()),
    "has no parameter `titel`": lambda: LOOSE_TOTAL.map([[1]], titel="x"),
}


@pytest.mark.parametrize("message", MISFITS)
def test_a_call_that_does_not_fit_the_signature_says_how(message: str) -> None:
    call = MISFITS[message]

    @dag
    def pipeline() -> Any:
        return call()

    assert codes_of(pipeline) == [Code.wrong_arguments]
    assert message in str(faults_of(pipeline)[0])


def test_an_exception_of_the_dag_function_is_told_with_its_lines_and_kept() -> None:
    @dag
    def pipeline() -> int:
        return {"a": 1}["b"]

    with pytest.raises(FlowFaults, match="raised KeyError while its graph was built: 'b'") as caught:
        _ = pipeline.graph

    assert caught.value.faults[0].code is Code.dag_function_failed
    assert isinstance(caught.value.__cause__, KeyError)


def test_joining_outputs_as_text_says_that_they_have_no_value_yet() -> None:
    @dag
    def pipeline() -> str:
        return ",".join([one_word()])

    assert codes_of(pipeline) == [Code.dag_function_failed]
    assert "has no value yet" in faults_of(pipeline)[0].help


def test_a_dag_inside_a_dag_is_refused_as_not_built_yet() -> None:
    @dag
    def inner(root: Path) -> int:
        return size(root)

    @dag
    def outer(root: Path) -> int:
        return inner(root)

    assert codes_of(outer) == [Code.nested_dag]
    assert "sub-dags are not built yet" in str(faults_of(outer)[0])


def test_a_dag_that_is_called_says_how_to_run_it() -> None:
    @dag
    def pipeline(root: Path) -> int:
        return size(root)

    with pytest.raises(FlowFaults, match=r"`actorflow.run\(pipeline.bind\(...\)\)`"):
        pipeline(Path())


async def async_dag() -> None:
    return None


def generator_dag() -> Iterator[int]:
    yield 1


def many_dag(*roots: Path) -> None:
    return None


def keywords_dag(**roots: Path) -> None:
    return None


@pytest.mark.parametrize("fn", [async_dag, generator_dag, many_dag, keywords_dag])
def test_a_function_that_cannot_be_traced_is_refused(fn: Callable[..., object]) -> None:
    assert codes_of(dag(fn)) == [Code.bad_function]


def test_only_a_function_becomes_a_dag() -> None:
    with pytest.raises(FlowFaults, match="put it above a `def`"):
        dag(size)


def test_a_default_of_another_type_is_refused() -> None:
    @dag
    def pipeline(top: int = "ten") -> None:  # type: ignore[assignment]
        return None

    assert codes_of(pipeline) == [Code.bad_parameter_type]


def test_a_parameter_whose_type_exists_only_for_checkers_is_refused() -> None:
    @dag
    def pipeline(price: Decimal) -> None:
        return None

    assert codes_of(pipeline) == [Code.bad_parameter_type]


def test_bind_keeps_values_with_their_source() -> None:
    @dag
    def pipeline(root: Path, top: int = 10) -> None:
        return None

    bound = pipeline.bind(Path("a"), top=3)

    assert bound.dag is pipeline
    assert {name: (param.value, param.source) for name, param in bound.params.items()} == {
        "root": (Path("a"), "bind"),
        "top": (3, "bind"),
    }


def test_bind_refuses_what_is_no_parameter_with_a_suggestion() -> None:
    @dag
    def pipeline(root: Path, top: int = 10) -> None:
        return None

    with pytest.raises(FlowFaults, match="did you mean `top`"):
        pipeline.bind(Path(), tpo=3)  # type: ignore[call-arg]


def test_a_dag_may_be_called_something_else_than_its_function() -> None:
    @dag(name="daily-load")
    def pipeline() -> None:
        """Every day."""

    assert pipeline.graph.name == pipeline.name == "daily-load"
    assert pipeline.__doc__ == "Every day."


def test_building_a_dag_while_another_is_built_keeps_them_apart() -> None:
    @dag
    def inner(root: Path) -> int:
        return size(root)

    @dag
    def outer(root: Path) -> int:
        assert len(inner.graph.steps) == 1
        return size(root)

    assert len(outer.graph.steps) == 1


def test_the_limits_of_a_dag_stand_in_its_graph_and_change_nothing_of_its_structure() -> None:
    def empty() -> None:
        return None

    limited, free = dag(timeout="2h", max_memory="4GiB")(empty), dag(empty)

    assert (limited.graph.timeout_s, limited.graph.max_memory_bytes) == (7200.0, 4 * 1024**3)
    assert (free.graph.timeout_s, free.graph.max_memory_bytes) == (None, None)
    assert graph_hash(limited.graph) == graph_hash(free.graph)


def test_wrong_limits_of_a_dag_are_all_told() -> None:
    @dag(timeout="soon", max_memory="1GiB * attempt")
    def wrong() -> None:
        return None

    with pytest.raises(FlowFaults) as caught:
        _ = wrong.graph

    assert [fault.code for fault in caught.value.faults] == [Code.bad_option] * 2
    assert "`max_memory` of dag `wrong` is wrong: a limit does not grow" in str(caught.value)
