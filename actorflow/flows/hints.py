"""Hints: the annotations of a function as types; what cannot be resolved is unknown, never an error."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from inspect import Parameter
from types import UnionType
from typing import Any, TypeGuard


class Unknown:
    """Marks an annotation that names something the program does not have when it runs. text: as it was written."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def hints_of(fn: Callable[..., object]) -> Mapping[str, object]:
    """Annotations by parameter name, with "return"; absent ones are absent, unresolvable ones `Unknown`."""
    try:
        return typing.get_type_hints(fn, localns=_closure(fn), include_extras=True)
    except Exception:  # noqa: BLE001 - an annotation may run any code of the user's; each is then tried by itself
        return {name: _resolved(fn, annotation) for name, annotation in _annotations(fn).items()}


def hint(hints: Mapping[str, object], name: str) -> object:
    """The annotation of `name`; Any where there is none."""
    return hints.get(name, Any)


def annotation_name(annotation: object) -> str:
    """The annotation as a person would write it: `list[Path]`, `int | None`."""
    if annotation is Any or annotation is Parameter.empty:
        return "Any"
    if annotation is None or annotation is type(None):
        return "None"
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return annotation_name(args[0])
    if is_union(annotation):
        return " | ".join(annotation_name(member) for member in args)
    if origin is typing.Literal:
        return f"Literal[{', '.join(map(repr, args))}]"
    if is_class(annotation):
        return annotation.__qualname__.rpartition("<locals>.")[2]
    if is_class(origin) and args:
        return f"{origin.__name__}[{', '.join('...' if arg is ... else _argument_name(arg) for arg in args)}]"
    return str(getattr(annotation, "__name__", annotation)).replace("typing.", "")


def is_union(annotation: object) -> bool:
    """True for `A | B`, `Union[A, B]` and `Optional[A]`."""
    return typing.get_origin(annotation) in (typing.Union, UnionType)


def is_class(annotation: object) -> TypeGuard[type[object]]:
    """True for a class itself, not for a generic alias of one."""
    return isinstance(annotation, type) and typing.get_origin(annotation) is None


def _argument_name(argument: object) -> str:
    if isinstance(argument, list):
        return f"[{', '.join(map(annotation_name, typing.cast('list[object]', argument)))}]"
    return annotation_name(argument)


def _annotations(fn: Callable[..., object]) -> Mapping[str, object]:
    return typing.cast("Mapping[str, object]", getattr(fn, "__annotations__", {}))


def _resolved(fn: Callable[..., object], annotation: object) -> object:
    if not isinstance(annotation, str):
        return annotation
    try:
        holder = type("holder", (), {"__annotations__": {"it": annotation}})
        names = {**getattr(fn, "__globals__", {}), **_closure(fn)}
        return typing.get_type_hints(holder, globalns=names, include_extras=True)["it"]
    except Exception:  # noqa: BLE001 - as above
        return Unknown(annotation)


def _closure(fn: Callable[..., object]) -> dict[str, object]:
    code, cells = getattr(fn, "__code__", None), getattr(fn, "__closure__", None) or ()
    found: dict[str, object] = {}
    for name, cell in zip(code.co_freevars if code else (), cells, strict=False):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # the name is not bound yet
            continue
    return found
