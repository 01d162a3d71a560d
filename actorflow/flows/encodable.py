"""Encodable: can values of a return annotation be written down at all? Unknown counts as yes.

What the codec carries is decided in actorflow/actors/codec; this looks at the annotation before anything runs.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import importlib.util
import inspect
import threading
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import PurePath
from typing import Any, cast

from actorflow.actors.codec.lower import is_library_value
from actorflow.actors.codec.typed import is_model, kind_of
from actorflow.flows.hints import Unknown, annotation_name, is_class, is_union
from actorflow.flows.types import is_unknown, plain

_PLAIN: frozenset[object] = frozenset(
    {type(None), bool, int, float, complex, str, bytes, bytearray, range, slice}
    | {list, tuple, set, frozenset, dict, date, datetime, time, timedelta}
)
_PLAIN_NAMES = {("decimal", "Decimal"), ("uuid", "UUID")}
_LOCKS: tuple[object, ...] = (threading.Lock, threading.RLock)  # functions, not classes, in Python 3.11
_MAX_DEPTH = 12

_STREAM = "return a list; streams of records are not built yet"
_AWAITED = "write `async def` and return what it would give"
_CODE = "return its name, or make it a task"
_OPEN = "open it inside the task that uses it, and return plain values or a Path"
_MODEL = "make it a dataclass or a pydantic model, or return plain values"

# Abstract, so a value of another class might do; but what is asked for cannot be written down.
_ABSTRACT: tuple[tuple[type[object], str], ...] = (
    (collections.abc.Coroutine, _AWAITED),
    (collections.abc.Awaitable, _AWAITED),
    (collections.abc.Iterator, _STREAM),
    (collections.abc.AsyncIterable, _STREAM),
)
_HELPS_BY_MODULE = {
    "_thread": _OPEN,
    "threading": _OPEN,
    "asyncio": _OPEN,
    "anyio": _OPEN,
    "trio": _OPEN,
    "multiprocessing": _OPEN,
    "socket": _OPEN,
    "_socket": _OPEN,
    "ssl": _OPEN,
    "_io": _OPEN,
    "io": _OPEN,
    "tempfile": _OPEN,
    "subprocess": _OPEN,
    "sqlite3": _OPEN,
    "numpy": "return numpy.asarray(...) of it or plain values, or save it to a file and return its Path",
    "pandas": "return a DataFrame, a Series or plain values, or save it to a file and return its Path",
    "polars": "return `.collect()` of it, or save it to a file and return its Path",
    "pyarrow": "return a Table, an Array or plain values, or save it to a file and return its Path",
}
_NEEDS = {"polars": "pyarrow"}
"""Values of the first travel through the second, which `actorflow[first]` installs."""


@dataclass(frozen=True, slots=True)
class NotEncodable:
    """path: where inside the annotation, such as `Summary.lock`; type_name: what cannot be written down there."""

    path: str
    type_name: str
    help: str


def not_encodable(annotation: object) -> NotEncodable | None:
    """The first part of the annotation whose values can certainly not be encoded."""
    return next(_refusals(annotation, annotation_name(annotation), frozenset(), _MAX_DEPTH), None)


def _refusals(annotation: object, path: str, seen: frozenset[object], depth: int) -> Iterator[NotEncodable]:
    annotation = plain(annotation)
    if is_unknown(annotation) or depth == 0 or isinstance(annotation, Unknown):
        return
    if any(annotation is lock for lock in _LOCKS):
        yield NotEncodable(path, "threading.Lock", _OPEN)
        return
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return
    cls = origin or annotation
    if is_class(cls) and not is_union(annotation) and (help := _refused(cls)):
        yield NotEncodable(path, annotation_name(annotation), help)
        return
    for arg in args:
        if arg is not ...:
            yield from _refusals(arg, path, seen, depth - 1)
    if is_class(cls) and cls not in seen:
        for name, field in _fields(cls):
            yield from _refusals(field, f"{cls.__name__}.{name}", seen | {cls}, depth - 1)


def _refused(cls: type[object]) -> str:
    """The way out for a class whose instances cannot be encoded; "" where they may be."""
    if is_library_value(cls):
        return _missing_extra(cls)
    if _is_carried(cls):
        return ""
    help = _HELPS_BY_MODULE.get(cls.__module__.partition(".")[0], "")
    for abstract, other in _ABSTRACT:
        if issubclass(cls, abstract):
            return help or other
    if (cls.__module__, cls.__name__) == ("collections.abc", "Callable") or issubclass(
        cls, type | types.FunctionType | types.BuiltinFunctionType
    ):
        return _CODE
    return "" if _has_carried_child(cls) else help or _MODEL


def _missing_extra(cls: type[object]) -> str:
    """What to install before values of a library's class can be written down; "" if nothing is missing."""
    library = cls.__module__.partition(".")[0]
    needed = _NEEDS.get(library, library)
    return "" if importlib.util.find_spec(needed) else f"install actorflow[{library}], which brings {needed}"


def _is_carried(cls: type[object]) -> bool:
    """True for what the codec carries as this very class."""
    if cls in _PLAIN or (cls.__module__, cls.__qualname__) in _PLAIN_NAMES or issubclass(cls, PurePath):
        return True
    return kind_of(cls) is not None or typing.is_typeddict(cls)


def _has_carried_child(cls: type[object]) -> bool:
    """True where a value may be of a subclass: a protocol, an abstract base, a base class of dataclasses."""
    if inspect.isabstract(cls) or getattr(cls, "_is_protocol", False):
        return True
    return any(_is_carried(child) or _has_carried_child(child) for child in type.__subclasses__(cls))


def _fields(cls: type[object]) -> Iterator[tuple[str, object]]:
    if is_model(cls):
        for name, info in cast("Any", cls).model_fields.items():
            yield name, info.annotation
    elif dataclasses.is_dataclass(cls):
        hints = _class_hints(cls)
        for field in dataclasses.fields(cls):
            yield field.name, hints.get(field.name, Any)
    elif typing.is_typeddict(cls) or hasattr(cls, "_fields"):
        yield from _class_hints(cls).items()


def _class_hints(cls: type[object]) -> dict[str, object]:
    try:
        return dict(typing.get_type_hints(cls))
    except Exception:  # noqa: BLE001 - an annotation may run any code of the user's; then nothing is known
        return {}
