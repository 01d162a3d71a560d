"""Factories as names: which can be made in another process, and what is said of those that cannot."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

import pytest

from actorflow import Actor
from actorflow.actors.codec import Codec
from actorflow.actors.factory import FactorySpec, NotImportable, describe_factory, load_factory
from tests.actors.placement.crew import Clerk


def makes_a_clerk() -> Clerk:
    return Clerk(7)


def test_a_class_is_made_there_by_its_name() -> None:
    spec = describe_factory(Clerk)

    assert spec == FactorySpec("tests.actors.placement.crew", "Clerk", b"")
    assert load_factory(spec) is Clerk


def test_a_function_is_made_there_by_its_name() -> None:
    assert load_factory(describe_factory(makes_a_clerk)) is makes_a_clerk


def test_a_partial_is_given_its_arguments_there() -> None:
    made = load_factory(describe_factory(partial(partial(Clerk, start=3), start=9)))()

    assert isinstance(made, Clerk)
    assert made.count == 9


def holds(thing: object) -> Clerk:
    return Clerk(id(thing))


class Local:
    def method(self) -> Clerk:
        return Clerk()


def inside() -> type[Actor]:
    class Hidden(Actor):
        pass

    return Hidden


Renamed = type("Original", (Actor,), {"__module__": __name__})
Script = type("Script", (Actor,), {"__module__": "__main__"})


@pytest.mark.parametrize(
    ("factory", "why"),
    [
        (lambda: Clerk(1), "a lambda can be spawned in this process only: it has no name"),
        (inside(), "it is defined inside a function; define it at the top level"),
        (Local().method, "it is an object, not a class or a function"),
        (Renamed, "its name in .* leads elsewhere"),
        (Script, "it is defined in __main__; move it to a module"),
        (partial(holds, threading.Lock()), r"the arguments of holds cannot travel.*arguments\[0\]\[0\]"),
    ],
)
def test_what_no_name_leads_to_is_refused_with_the_way_out(factory: Callable[[], Actor], why: str) -> None:
    with pytest.raises(NotImportable, match=why):
        describe_factory(factory)


def test_another_version_of_the_code_is_told() -> None:
    with pytest.raises(NotImportable, match="both processes need the same code"):
        load_factory(FactorySpec("tests.actors.placement.crew", "Nobody", b""), Codec())
