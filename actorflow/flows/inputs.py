"""Inputs: what a dag function passes to a task, as the graph keeps it, and whether it is of the type asked for."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from actorflow.flows.graph import Const, DictOf, Input, ListOf, Location
from actorflow.flows.hints import annotation_name, is_union
from actorflow.flows.proxy import Unresolved
from actorflow.flows.types import NOT_ITERABLE, element_type, fits, is_unknown, plain, value_fits

Container: TypeAlias = list[object] | tuple[object, ...] | dict[object, object]


class HiddenOutput(Exception):
    """An unresolved value stands inside an object that is not looked into."""

    def __init__(self, holder: str, value: Unresolved) -> None:
        super().__init__(holder)
        self.holder = holder
        self.value = value


class ForeignOutput(Exception):
    """An unresolved value of another dag."""

    def __init__(self, value: Unresolved) -> None:
        super().__init__()
        self.value = value


def to_input(value: object, owner: object) -> Input:
    """The value as data; unresolved ones are found inside lists, tuples and dicts, whose items are copied out.

    Raises HiddenOutput and ForeignOutput.
    """
    kind = type(value)
    if kind is Unresolved:
        unresolved = cast("Unresolved", value)
        if unresolved._owner is not owner:
            raise ForeignOutput(unresolved)
        return unresolved._input
    if kind is list or kind is tuple:
        items = tuple(to_input(item, owner) for item in cast("list[object]", value))
        plain_items = [item.value for item in items if isinstance(item, Const)]
        if len(plain_items) == len(items):
            return Const(tuple(plain_items) if kind is tuple else plain_items)
        return ListOf(items, as_tuple=kind is tuple)
    if kind is dict:
        pairs = tuple((key, to_input(item, owner)) for key, item in cast("dict[object, object]", value).items())
        if all(type(item) is Const for _, item in pairs):
            return Const({key: cast("Const", item).value for key, item in pairs})
        return DictOf(pairs)
    for part in _parts(value):
        if type(part) is Unresolved:
            raise HiddenOutput(kind.__name__, part)
    return Const(value)


def _parts(value: object) -> Iterator[object]:
    """What an object that is not looked into may hide; only what can be listed without running the user's code."""
    if isinstance(value, tuple | list):
        yield from cast("list[object]", value)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield value.__dict__.get(field.name) if hasattr(value, "__dict__") else getattr(value, field.name, None)


_INSIDE = "inside it "


@dataclass(frozen=True, slots=True)
class Mismatch:
    """shown: the type that came, in words. label: where it came from. place: where that is annotated, if anywhere."""

    shown: str
    label: str
    source: object
    place: Location | None


def mismatch(value: object, wanted: object) -> Mismatch | None:
    """The first part of `value` (an unresolved one, a plain one, or a container of both) that cannot fit `wanted`."""
    if is_unknown(plain(wanted)):
        return None
    if type(value) is Unresolved:
        if fits(value._annotation, wanted):
            return None
        shown = annotation_name(value._annotation)
        return Mismatch(shown, value._origin.label, value._annotation, value._origin.place())
    if _holds_unresolved(value):
        return _container_mismatch(cast("Container", value), wanted)
    return None if value_fits(value, wanted) else Mismatch(_short(value), "", type(value), None)


def _container_mismatch(value: Container, wanted: object) -> Mismatch | None:
    options = typing.get_args(plain(wanted)) if is_union(plain(wanted)) else (wanted,)
    found: Mismatch | None = None
    for option in options:
        found = _container_mismatch_of(value, plain(option))
        if found is None:
            return None
    return found


def _container_mismatch_of(value: Container, wanted: object) -> Mismatch | None:
    if is_unknown(wanted):
        return None
    if not fits(type(value), wanted):
        return Mismatch(type(value).__name__, "", type(value), None)
    args = typing.get_args(wanted)
    if isinstance(value, dict):
        parts: list[tuple[object, object]] = [(item, args[1] if len(args) == 2 else Any) for item in value.values()]
    elif typing.get_origin(wanted) is tuple and args and args[-1] is not ... and len(args) == len(value):
        parts = list(zip(value, args, strict=True))
    else:
        element = element_type(wanted)
        parts = [(item, Any if element is NOT_ITERABLE else element) for item in value]
    found = next((found for item, part in parts if (found := mismatch(item, part)) is not None), None)
    if found is None or not found.label or found.label.startswith(_INSIDE):
        return found
    return dataclasses.replace(found, label=_INSIDE + found.label)


def _holds_unresolved(value: object) -> bool:
    if type(value) is Unresolved:
        return True
    if isinstance(value, dict):
        return any(_holds_unresolved(item) for item in cast("dict[object, object]", value).values())
    return isinstance(value, list | tuple) and any(map(_holds_unresolved, cast("list[object]", value)))


def _short(value: object) -> str:
    """`3 (int)`, cut where it is long."""
    text = repr(value)
    text = text if len(text) <= 40 else f"{text[:37]}..."
    return f"{text} ({annotation_name(type(value))})"


def way_out(source: object, wanted: object) -> str:
    """How to mend an edge whose two ends do not fit."""
    element = element_type(source)
    if element is not NOT_ITERABLE and not is_unknown(element) and source is not str and fits(element, wanted):
        return "it comes as many: use `.map(...)` to run the task once for each"
    if _is_list_like(wanted) and fits(source, element_type(wanted)):
        return "wrap it in a list, `[...]`, or change one of the two annotations"
    return "change one of the two annotations, or put a task between them that converts"


def _is_list_like(wanted: object) -> bool:
    origin = typing.get_origin(plain(wanted))
    return isinstance(origin, type) and issubclass(list, origin) and origin is not object
