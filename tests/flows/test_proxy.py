"""An unresolved value may be passed on and returned; every other use names what to write instead, and where."""

from __future__ import annotations

import copy
import math
import os
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from actorflow.flows.dag import dag
from actorflow.flows.faults import Code, FlowFaults
from actorflow.flows.graph import Location
from actorflow.flows.proxy import Unresolved
from actorflow.flows.task import task

Use = Callable[[Any], object]


@task
def load() -> list[int]:
    raise AssertionError("a body ran")


def _unpacked(value: Any) -> None:
    _one, _two = value


def _assigned(value: Any) -> None:
    value.rows = 3


def _set_item(value: Any) -> None:
    value[0] = 3


def _added_in_place(value: Any) -> None:
    value += 1


def _entered(value: Any) -> None:
    with value:
        pass


def _matched(value: Any) -> None:
    match value:
        case 3:
            pass
        case _:
            pass


USES: dict[str, tuple[Use, str]] = {
    "if": (lambda value: 1 if value else 2, "decide inside a task"),
    "while": (bool, "conditions between steps are not built yet"),
    "not": (lambda value: not value, "decide inside a task"),
    "and": (lambda value: value and 1, "decide inside a task"),
    "for": (lambda value: [item for item in value], r"`some_task.map\(...\)`"),  # noqa: C416 - the loop is the use
    "list()": (list, r"`some_task.map\(...\)`"),
    "unpacking": (_unpacked, r"`some_task.map\(...\)`"),
    "star": (lambda value: [*value], r"`some_task.map\(...\)`"),
    "reversed": (reversed, r"`some_task.map\(...\)`"),
    "next": (next, r"`some_task.map\(...\)`"),
    "sum": (sum, r"`some_task.map\(...\)`"),
    "len": (len, "count there"),
    "index": (lambda value: value[0], "take the part there"),
    "slice": (lambda value: value[1:], "take the part there"),
    "set item": (_set_item, "cannot be changed"),
    "in": (lambda value: 3 in value, "decide inside a task"),
    "==": (lambda value: value == 3, "decide inside a task"),
    "!=": (lambda value: value != 3, "decide inside a task"),
    "<": (lambda value: value < 3, "decide inside a task"),
    ">= from the right": (lambda value: 3 >= value, "decide inside a task"),  # noqa: SIM300 - the side is the use
    "max": (lambda value: max(value, 1), "decide inside a task"),
    "match": (_matched, "decide inside a task"),
    "+": (lambda value: value + 1, "compute inside a task"),
    "+ from the right": (lambda value: 1 + value, "compute inside a task"),
    "+ with a text": (lambda value: "total " + value, "compute inside a task"),
    "+=": (_added_in_place, "compute inside a task"),
    "-": (lambda value: -value, "compute inside a task"),
    "**": (lambda value: value**2, "compute inside a task"),
    "@": (lambda value: value @ value, "compute inside a task"),
    "|": (lambda value: value | {}, "compute inside a task"),
    "abs": (abs, "compute inside a task"),
    "round": (lambda value: round(value, 2), "compute inside a task"),
    "ceil": (math.ceil, "compute inside a task"),
    "divmod": (lambda value: divmod(value, 2), "compute inside a task"),
    "int": (int, "convert it there"),
    "float": (float, "convert it there"),
    "range": (range, "convert it there"),
    "bytes": (bytes, "convert it there"),
    "path": (os.fspath, "convert it there"),
    "open": (open, "convert it there"),
    "str": (str, "build the text inside a task"),
    "f-string": (lambda value: f"{value} rows", "build the text inside a task"),
    "format": (lambda value: f"{value:>10}", "build the text inside a task"),
    "%s": (lambda value: "%s rows" % value, "build the text inside a task"),  # noqa: UP031 - this form is the use
    "print": (print, "build the text inside a task"),
    "attribute": (lambda value: value.rows, r"read `.rows` there"),
    "method": (lambda value: value.append(1), r"read `.append` there"),
    "set attribute": (_assigned, "cannot be changed"),
    "dict key": (lambda value: {value: 1}, "use a plain value as the key"),
    "set": (lambda value: {value}, "use a plain value as the key"),
    "call": (lambda value: value(3), "it is no task"),
    "with": (_entered, "without `await`"),
    "pickle": (pickle.dumps, "any number of tasks may take it"),
}


@pytest.mark.parametrize("use", USES)
def test_a_use_of_an_output_names_what_to_write_instead(use: str) -> None:
    do, help = USES[use]

    @dag
    def pipeline() -> None:
        do(load())

    with pytest.raises(FlowFaults, match=help) as caught:
        _ = pipeline.graph

    assert [fault.code for fault in caught.value.faults] == [Code.unresolved_use]
    assert "the output of `load`" in caught.value.faults[0].message


def test_a_use_of_a_parameter_says_when_its_value_is_there() -> None:
    @dag
    def pipeline(top: int) -> None:
        if top > 3:
            load()

    with pytest.raises(FlowFaults, match=r"the parameter `top`: its value is known only when a run starts"):
        _ = pipeline.graph


def test_the_line_of_the_use_is_told() -> None:
    @dag
    def pipeline() -> None:
        rows = load()
        len(rows)

    with pytest.raises(FlowFaults) as caught:
        _ = pipeline.graph

    line = pipeline.location.line + 2
    assert caught.value.faults[0].location == Location(__file__, line)
    assert "len(rows)" in str(caught.value)


def test_awaiting_a_task_in_a_dag_says_that_a_dag_waits_for_nothing() -> None:
    @dag
    def pipeline() -> Any:
        async def helper() -> Any:
            return await load()  # type: ignore[misc]

        return helper().send(None)

    with pytest.raises(FlowFaults, match="without `await`"):
        _ = pipeline.graph


def seen_while_tracing(look: Callable[[Any], object]) -> object:
    seen: list[object] = []

    @dag
    def pipeline() -> list[int]:
        rows = load()
        seen.append(look(rows))
        return rows

    assert pipeline.graph.steps[0].name == "load"
    return seen[0]


def test_repr_is_safe_and_says_what_it_is() -> None:
    assert seen_while_tracing(repr) == "<the output of `load`, not known yet>"


@pytest.mark.parametrize("name", ["__wrapped__", "__len_hint__", "_repr_html_", "_ipython_display_", "__rich__"])
def test_what_debuggers_ask_for_is_answered_with_no(name: str) -> None:
    assert seen_while_tracing(lambda value: hasattr(value, name)) is False


def test_dir_and_type_are_safe_for_debuggers() -> None:
    assert "__repr__" in typing_list(seen_while_tracing(dir))
    assert seen_while_tracing(type) is Unresolved


def typing_list(value: object) -> list[object]:
    assert isinstance(value, list)
    return [*value]


def test_a_copy_is_the_same_one() -> None:
    assert seen_while_tracing(lambda value: copy.copy(value) is value) is True
    assert seen_while_tracing(lambda value: copy.deepcopy([value])[0] is value) is True


def test_identity_and_isinstance_are_left_alone() -> None:
    assert seen_while_tracing(lambda value: value is None) is False
    assert seen_while_tracing(lambda value: isinstance(value, list)) is False


def test_every_operator_of_python_that_takes_the_value_is_refused() -> None:
    operators = {
        name
        for cls in (int, float, str, list, dict)
        for name in dir(cls)
        if name.startswith("__") and callable(getattr(cls, name))
    }
    not_of_the_value = {
        *("__class__", "__class_getitem__", "__delattr__", "__dir__", "__doc__", "__getattribute__", "__getnewargs__"),
        *("__getstate__", "__init__", "__init_subclass__", "__new__", "__reduce__", "__repr__", "__setattr__"),
        *("__sizeof__", "__subclasshook__", "__getformat__", "__setformat__"),
    }

    refused = {name for name in vars(Unresolved) if name.startswith("__")}

    assert operators - not_of_the_value - refused == set()
