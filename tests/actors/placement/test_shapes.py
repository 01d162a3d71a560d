"""Shapes: what passes by its types alone passes the full check too, and comes out of it as it went in."""

from __future__ import annotations

import inspect
from typing import Annotated, Any, Literal, Optional, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from actorflow import Actor, handler
from actorflow.actors.placement.shapes import fitting, shapes_of
from actorflow.actors.placement.signatures import Signatures

DECLARED = (
    int,
    float,
    bool,
    str,
    bytes,
    None,
    Any,
    object,
    int | None,
    Optional[str],  # noqa: UP045 - one of the ways to write it
    Union[int, float],  # noqa: UP007 - the other
    bool | int | str | None,
    float | str,
    bytes | Literal["none"],
    Annotated[int, Field(gt=0)],
    Literal[1, "a"],
    complex,
    list[int],
    dict[str, int],
)
PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=5)
    | st.binary(max_size=5)
)


KINDS = st.sampled_from(["any", "position", "name"])


def handler_of(declared: list[Any], defaults: list[Any], returns: Any, kind: str) -> type[Actor]:
    """An actor whose one handler has these annotations, and these defaults at its end. kind: how they are given."""

    async def none(self: Any) -> Any: ...
    async def one(self: Any, a: Any) -> Any: ...
    async def two(self: Any, a: Any, b: Any) -> Any: ...
    async def by_position(self: Any, a: Any, b: Any, /) -> Any: ...
    async def by_name(self: Any, a: Any, *, b: Any) -> Any: ...

    function: Any = (none, one, {"any": two, "position": by_position, "name": by_name}[kind])[len(declared)]
    function.__annotations__ = {**dict(zip("ab", declared, strict=False)), "return": returns}
    if function is by_name:
        function.__kwdefaults__ = {"b": defaults[0]} if defaults else None
    else:
        function.__defaults__ = tuple(defaults) or None
    return type("Made", (Actor,), {function.__name__: handler(function), "made": handler(function)})


@st.composite
def calls(draw: st.DrawFn) -> tuple[type[Actor], tuple[Any, ...], dict[str, Any], Any]:
    declared = draw(st.lists(st.sampled_from(DECLARED), max_size=2))
    defaults = draw(st.lists(PLAIN, max_size=len(declared)))
    made = handler_of(declared, defaults, draw(st.sampled_from(DECLARED)), draw(KINDS))
    args = draw(st.lists(PLAIN, max_size=2))
    return made, tuple(args), draw(st.dictionaries(st.sampled_from("abc"), PLAIN, max_size=2)), draw(PLAIN)


@given(calls())
def test_what_fits_by_its_types_passes_the_full_check_unchanged(
    case: tuple[type[Actor], tuple[Any, ...], dict[str, Any], Any],
) -> None:
    cls, args, named, reply = case
    checks = Signatures()
    function: Any = cls.made  # type: ignore[attr-defined]  # made above
    shapes = checks.shapes(cls, "made")
    kinds = tuple(map(type, args))

    if shapes.fit(kinds):
        checked = checks.arguments(cls, "made", (args, {}), "x")
        assert repr(bound(function, *checked)) == repr(bound(function, args, {}))
    if shapes.fit_named(kinds, tuple(named), tuple(map(type, named.values()))):
        checked = checks.arguments(cls, "made", (args, named), "x")
        assert repr(bound(function, *checked)) == repr(bound(function, args, named))
    if type(reply) in shapes.replies:
        assert checks.reply(cls, "made", reply, "x") is reply


def bound(function: Any, args: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
    """What each parameter gets."""
    found = inspect.signature(function).bind(None, *args, **named)
    found.apply_defaults()
    return found.arguments


@pytest.mark.parametrize(
    ("declared", "fits"),
    [
        (int, {int}),  # no bool, though it is one: the full check refuses it
        (float, {float}),  # no int: the full check would make a float of it
        (None, {type(None)}),
        (int | None, {int, type(None)}),
        (Any, {int, float, bool, str, bytes, type(None)}),
        (list[int], set[type]()),
        (int | list[int], set[type]()),
        (Annotated[int, Field(gt=0)], set[type]()),
        (Literal[1], set[type]()),
        (object, set[type]()),
    ],
)
def test_what_a_declared_type_lets_pass_unchanged(declared: Any, fits: set[type]) -> None:
    assert fitting(declared) == fits


class Desk(Actor):
    @handler
    async def two(self, a: int, b: str = "x") -> None: ...

    @handler
    async def many(self, *a: int) -> None: ...

    @handler
    async def named(self, *, a: int = 0) -> None: ...

    @handler
    async def grows(self, a: list[int] = []) -> None: ...  # noqa: B006 - what the test is about

    @handler
    async def unknown(self, a: int, b: complex | Desk | None = None) -> None: ...


@pytest.mark.parametrize(
    ("method", "args", "fits"),
    [
        (Desk.two, (int, str), True),
        (Desk.two, (int,), True),
        (Desk.two, (), False),
        (Desk.two, (int, str, int), False),
        (Desk.two, (bool,), False),
        (Desk.many, (int,), False),
        (Desk.named, (), True),
        (Desk.named, (int,), False),
        (Desk.grows, (), False),  # each call gets a list of its own
    ],
)
def test_arguments_fit_by_their_types_and_their_number(method: Any, args: tuple[type, ...], fits: bool) -> None:
    assert shapes_of(method).fit(args) is fits


@pytest.mark.parametrize(
    ("method", "args", "named", "fits"),
    [
        (Desk.two, (), {"a": int}, True),
        (Desk.two, (int,), {"b": str}, True),
        (Desk.two, (), {"b": str, "a": int}, True),
        (Desk.two, (int,), {"a": int}, False),  # given twice
        (Desk.two, (), {"b": str}, False),
        (Desk.two, (int,), {"b": int}, False),
        (Desk.two, (int,), {"c": int}, False),
        (Desk.named, (), {"a": int}, True),
        (Desk.named, (int,), {}, False),
        (Desk.many, (), {"a": int}, False),
    ],
)
def test_named_arguments_fit_by_their_names_and_types(
    method: Any, args: tuple[type, ...], named: dict[str, type], fits: bool
) -> None:
    assert shapes_of(method).fit_named(args, tuple(named), tuple(named.values())) is fits


def test_of_a_signature_that_cannot_be_checked_nothing_fits() -> None:
    shapes = Signatures().shapes(Desk, "unknown")

    assert not shapes.fit((int,))
    assert not shapes.replies
