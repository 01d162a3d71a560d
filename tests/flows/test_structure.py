"""The digests of a graph's structure and of what its tasks say."""

from __future__ import annotations

import linecache
from collections.abc import Callable

from actorflow.flows.structure import source_digest, source_digests, structure_of
from tests.flows.steps import graph_of, step

ONE = """def outer(x):
    def inner():
        return {
            "a": 1,
        }
    return inner
"""


def function(text: str, file: str) -> Callable[..., object]:
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    names: dict[str, Callable[..., object]] = {}
    exec(compile(text, file, "exec"), names)
    return names["outer"]


def test_only_the_step_that_differs_has_another_digest() -> None:
    before = structure_of(graph_of(step("a"), step("b")))
    after = structure_of(graph_of(step("a"), step("b", task="m:other")))

    assert before.steps["a"] == after.steps["a"]
    assert before.steps["b"] != after.steps["b"]
    assert before.hash != after.hash


def test_a_source_is_told_by_its_text_and_not_by_its_place() -> None:
    digest = source_digest(function(ONE, "<one>"))

    assert digest == source_digest(function("\n\n" + ONE, "<moved>"))
    assert digest != source_digest(function(ONE.replace("1", "2"), "<constant in an inner function>"))
    assert digest != source_digest(function(ONE.replace("x", "y", 1), "<parameter>"))


def test_what_has_no_text_of_its_own_is_left_out() -> None:
    assert source_digests({"builtins:len": len}) == {}
