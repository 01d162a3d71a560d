"""References within values: found at any depth of plain containers, and replaced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from actorflow.actors.codec.lower import SCALARS

_CONTAINERS: frozenset[Any] = frozenset({list, tuple, set, frozenset})


def with_refs_replaced(value: Any, kind: type[Any], replaced: Callable[[Any], Any]) -> Any:
    """`value` with `replaced` done to each instance of `kind` in it; the very same value where there is none."""
    found: Any = value.__class__
    if found in SCALARS:
        return value
    if isinstance(value, kind):
        return replaced(value)
    if found in _CONTAINERS:
        items = cast("list[Any]", value)
        if SCALARS.issuperset(map(type, items)):
            return value
        return found(with_refs_replaced(item, kind, replaced) for item in items)
    if found is dict:
        pairs = cast("dict[Any, Any]", value)
        return {
            with_refs_replaced(key, kind, replaced): with_refs_replaced(item, kind, replaced)
            for key, item in pairs.items()
        }
    return value
