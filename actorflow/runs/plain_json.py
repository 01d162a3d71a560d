"""Any value as plain JSON: for people and other programs to read, not to be read back.

| value | JSON |
|---|---|
| None, bool, int, float, str, list, tuple, dict | as they are; nan and infinities as strings; keys as strings |
| pydantic model | `model_dump(mode="json")`; by its fields where its class is not imported here |
| dataclass, NamedTuple | object of its fields |
| set, frozenset | list |
| bytes, bytearray | base64 text |
| Path, UUID, Decimal, complex, range, date, time, datetime | text; times in ISO 8601 |
| timedelta | seconds |
| Enum | its value |
| scalar of numpy | the plain value it holds |
| anything else | its repr |
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from datetime import date, time, timedelta
from enum import Enum
from typing import Any, cast

from actorflow.actors.codec import DecodeError
from actorflow.runs.store_errors import ValueReleased
from actorflow.runs.unresolved import read_unresolved
from actorflow.runs.values import Value


def plain_value(value: Value) -> object:
    """The JSON form of a value, whether or not the classes in it are imported here.

    `{"released_bytes": n}` for one that is kept no more.
    """
    try:
        return plain(value.get())
    except DecodeError:
        return plain(read_unresolved(value.data()))
    except ValueReleased as released:
        return {"released_bytes": released.size_bytes}


def plain(value: object) -> object:
    """The JSON form of an object; raises nothing but for a value that contains itself."""
    kind = type(value)
    if value is None or kind in (bool, int, str):
        return value
    exact = _EXACT.get(kind)
    if exact is not None:
        return exact(value)
    for bases, render in _BASES:
        if isinstance(value, bases):
            return render(value)
    return _object(value)


def _float(value: float) -> object:
    return value if math.isfinite(value) else str(value)


def _items(values: Iterable[object]) -> list[object]:
    return [plain(value) for value in values]


def _mapping(mapping: Mapping[object, object]) -> dict[str, object]:
    return {_key(key): plain(value) for key, value in mapping.items()}


def _key(key: object) -> str:
    if type(key) is str:
        return key
    rendered = plain(key)
    return rendered if type(rendered) is str else str(rendered)


def _tuple(values: tuple[object, ...]) -> object:
    fields = getattr(values, "_fields", None)
    return _items(values) if fields is None else {name: plain(item) for name, item in zip(fields, values, strict=True)}


def _base64(data: bytes | bytearray) -> str:
    return b64encode(data).decode("ascii")


def _object(value: object) -> object:
    dump = getattr(value, "model_dump", None)
    if dump is not None and not isinstance(value, type):
        return _model(value, dump)
    fields: Mapping[str, object] | None = getattr(value, "__dataclass_fields__", None)
    if fields is not None and not isinstance(value, type):
        return {name: plain(getattr(value, name, None)) for name in fields}
    if type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0:
        return _numpy_scalar(value)
    if hasattr(value, "__fspath__") or type(value).__module__ in ("decimal", "_decimal", "uuid"):
        return str(value)
    return _repr(value)


def _numpy_scalar(value: object) -> object:
    item: object = cast("Any", value).item()
    return plain(item) if type(item).__module__ != "numpy" else str(value)  # what Python has no type for: text


def _model(value: object, dump: Callable[..., object]) -> object:
    """pydantic's own form, made plain once more: a model may hold nan, or say what it likes in a serializer."""
    try:
        return plain(dump(mode="json"))
    except Exception:  # noqa: BLE001 - a model that pydantic cannot render still has fields to show
        return plain(dict(cast("Any", value)))


def _repr(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - any fault of a foreign repr
        return f"<{type(value).__qualname__}>"


_EXACT: dict[type, Callable[[Any], object]] = {
    float: _float,
    list: _items,
    dict: _mapping,
    tuple: _tuple,
    set: _items,
    frozenset: _items,
    range: repr,
    bytes: _base64,
    bytearray: _base64,
}

_BASES: tuple[tuple[tuple[type, ...], Callable[[Any], object]], ...] = (
    ((Enum,), lambda value: plain(value.value)),
    ((int,), int),
    ((float,), lambda value: _float(float(value))),
    ((str,), str),
    ((bytes, bytearray), _base64),
    ((date, time), lambda value: value.isoformat()),
    ((timedelta,), lambda value: value.total_seconds()),
    ((complex,), str),
    ((tuple,), _tuple),
    ((Mapping,), _mapping),
    ((list, set, frozenset), _items),
)
