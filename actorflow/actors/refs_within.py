"""References within values: found at any depth of containers, dataclasses, named tuples and models, and replaced."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from functools import cache
from typing import Any, cast

from actorflow.actors.codec.lower import SCALARS

_CONTAINERS: frozenset[Any] = frozenset({list, tuple, set, frozenset})


def with_refs_replaced(value: Any, kind: type[Any], replaced: Callable[[Any], Any]) -> Any:
    """`value` with `replaced` done to each instance of `kind` in it; the very same value where there is none.

    What holds one is copied, not changed.
    """
    found: Any = value.__class__
    if found in SCALARS:
        return value
    if isinstance(value, kind):
        return replaced(value)
    if found in _CONTAINERS:
        items = cast("list[Any]", value)
        if SCALARS.issuperset(map(type, items)):
            return value
        parts = [with_refs_replaced(item, kind, replaced) for item in items]
        return found(parts) if _any_new(parts, items) else value
    if found is dict:
        pairs = cast("dict[Any, Any]", value)
        keys = [with_refs_replaced(key, kind, replaced) for key in pairs]
        values = [with_refs_replaced(item, kind, replaced) for item in pairs.values()]
        if _any_new(keys, pairs) or _any_new(values, pairs.values()):
            return dict(zip(keys, values, strict=True))
        return value
    if _has_fields(found):
        return _fields_replaced(value, kind, replaced)
    return value


def _any_new(parts: list[Any], items: Any) -> bool:
    return any(part is not item for part, item in zip(parts, items, strict=True))


@cache
def _has_fields(cls: type[Any]) -> bool:
    return dataclasses.is_dataclass(cls) or hasattr(cls, "__pydantic_fields__") or hasattr(cls, "_fields")


def _fields_replaced(value: Any, kind: type[Any], replaced: Callable[[Any], Any]) -> Any:
    new: dict[str, Any] = {}
    for name, part in _fields_of(value):
        found = with_refs_replaced(part, kind, replaced)
        if found is not part:
            new[name] = found
    if not new:
        return value
    if hasattr(value, "_replace"):
        return value._replace(**new)
    clone = copy.copy(value)
    for name, part in new.items():
        object.__setattr__(clone, name, part)  # of a frozen one too, and without its validators
    return clone


def _fields_of(value: Any) -> list[tuple[str, Any]]:
    """Each field that is set, with what is in it."""
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
        return [(name, getattr(value, name)) for name in names if hasattr(value, name)]
    if hasattr(value, "_fields"):
        return list(zip(value._fields, value, strict=True))
    state: dict[str, Any] = value.__dict__
    return list(state.items())
