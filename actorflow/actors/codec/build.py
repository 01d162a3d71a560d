"""Tagged arrays back into the values they were; anything else about them is a DecodeError."""

from __future__ import annotations

import importlib
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import Any, cast

from . import arrow_values, numpy_values, pandas_build, polars_values
from .bodies import Bodies
from .errors import DecodeError
from .limits import Limits
from .type_names import TypeResolver, UnknownType
from .typed import BUILDERS, Build, kind_of
from .wire import Tag, unpack, unpack_tagged

FLOOD_KEYS = 100
"""Keys of one set or dict that may share a hash; honest ones hardly ever do."""

_PATHS = frozenset({"PosixPath", "PurePosixPath", "PureWindowsPath", "WindowsPath"})


class _Mark:
    """The head of a tagged array while msgpack builds it; must be consumed by that array."""

    __slots__ = ("build", "tag")

    def __init__(self, tag: Tag, build: Callable[[Reader, list[Any]], object]) -> None:
        self.tag = tag
        self.build = build


Known = dict[tuple[type[object], Tag], Build]
"""How to build a class, kept from message to message; names are resolved anew in each, so a reload is seen."""


class Reader:
    """Builds one value: the hooks msgpack calls, innermost first, and what this one message has resolved."""

    __slots__ = ("_bodies", "_builders", "_known", "_marks", "_resolver", "limits")

    def __init__(self, resolver: TypeResolver, known: Known, limits: Limits, bodies: Bodies | None) -> None:
        self.limits = limits
        self._bodies = bodies
        self._resolver = resolver
        self._known = known
        self._marks = 0
        self._builders: dict[tuple[str, Tag], Build] = {}

    def read(self, data: bytes | bytearray) -> object:
        """The value; raises DecodeError. `data` is its msgpack and has passed the limits."""
        value = unpack_tagged(data, self._on_ext, self._on_list)
        if self._marks:
            raise DecodeError("a tag stands where no tag may")
        if self._bodies is not None:
            self._bodies.refuse_rest()
        return value

    @property
    def bodies(self) -> Bodies:
        """What stands behind the msgpack value; without anything, arrays still take their bytes through it."""
        if self._bodies is None:
            self._bodies = Bodies(b"", 0, is_given=False)
        return self._bodies

    def typed(self, items: list[Any]) -> object:
        """A value of a user's type: what follows the mark is the type's name and its parts."""
        name: object = items[1]
        kind: Tag = items[0].tag
        build = self._builders.get((name, kind)) if type(name) is str else None
        return (build or self._builder(name, kind))(*items[2:])

    def _builder(self, name: object, kind: Tag) -> Build:
        """How to build the class called `name`, which must be of this kind."""
        if type(name) is not str:
            raise DecodeError("a type's name is no string")
        try:
            cls = self._resolver.resolve(name)
        except UnknownType as exc:
            raise DecodeError(str(exc)) from exc
        build = self._known.get((cls, kind))
        if build is None:
            if kind_of(cls) is not kind:
                raise DecodeError(f"{name} is no {kind.name.lower()}")
            build = self._known[cls, kind] = BUILDERS[kind](cls)
        self._builders[name, kind] = build
        return build

    def _on_ext(self, code: int, data: bytes) -> object:
        mark = _MARKS.get(code)
        if mark is None or data:
            raise DecodeError(f"unknown extension {code}")
        self._marks += 1
        return mark

    def _on_list(self, items: list[object]) -> object:
        if not items or type(items[0]) is not _Mark:
            return items
        self._marks -= 1
        mark = items[0]
        try:
            return mark.build(self, items)
        except Exception as exc:
            what = str(exc) if isinstance(exc, DecodeError) else f"{type(exc).__name__}: {exc}"
            raise DecodeError(f"at tag {mark.tag.name} of {len(items) - 1} elements: {what}") from exc


def read_plain(data: bytes | bytearray) -> object:
    """A value without any tag."""
    return unpack(data, _no_ext)


def _no_ext(code: int, data: bytes) -> object:
    raise DecodeError(f"unknown extension {code}")


def _payload(items: list[Any], *types: type) -> list[Any]:
    """What follows the mark; raises DecodeError unless it is exactly of these types."""
    found = items[1:]
    if [type(item) for item in found] != list(types):
        raise DecodeError(f"expected {', '.join(kind.__name__ for kind in types)}")
    return found


def _refuse_flood(keys: list[Any]) -> list[Any]:
    """Refuse keys made to share one hash, which take quadratic time: hashes of ints and tuples are no secret."""
    if len(keys) > FLOOD_KEYS and max(Counter(map(hash, keys)).values()) > FLOOD_KEYS:
        raise DecodeError(f"more than {FLOOD_KEYS} keys share one hash")
    return keys


def _set(_: Reader, items: list[Any]) -> object:
    return _distinct(set(_refuse_flood(items[1:])), items)


def _frozenset(_: Reader, items: list[Any]) -> object:
    return _distinct(frozenset(_refuse_flood(items[1:])), items)


def _dict(_: Reader, items: list[Any]) -> object:
    if not len(items) % 2:
        raise DecodeError("a key has no value")
    found = dict(zip(_refuse_flood(items[1::2]), items[2::2], strict=True))
    if len(found) * 2 + 1 != len(items):
        raise DecodeError("a key stands there twice")
    return found


def _distinct(found: set[Any] | frozenset[Any], items: list[Any]) -> object:
    if len(found) + 1 != len(items):
        raise DecodeError("an element stands there twice")
    return found


def _range(_: Reader, items: list[Any]) -> object:
    start, stop, step = _payload(items, int, int, int)
    return range(start, stop, step)


def _slice(_: Reader, items: list[Any]) -> object:
    start, stop, step = items[1:]
    return slice(start, stop, step)


def _decimal(_: Reader, items: list[Any]) -> object:
    return importlib.import_module("decimal").Decimal(*_payload(items, str))


def _uuid(_: Reader, items: list[Any]) -> object:
    return importlib.import_module("uuid").UUID(bytes=_payload(items, bytes)[0])


def _path(_: Reader, items: list[Any]) -> object:
    kind, text = _payload(items, str, str)
    if kind not in _PATHS:
        raise DecodeError(f"unknown path type {kind:.40}")
    return getattr(importlib.import_module("pathlib"), kind)(text)


def _datetime(_: Reader, items: list[Any]) -> object:
    year, month, day, hour, minute, second, microsecond, fold, zone = items[1:]
    return datetime(year, month, day, hour, minute, second, microsecond, _zone(zone), fold=fold)


def _time(_: Reader, items: list[Any]) -> object:
    hour, minute, second, microsecond, fold, zone = items[1:]
    return time(hour, minute, second, microsecond, _zone(zone), fold=fold)


def _zone(zone: object) -> tzinfo | None:
    if zone is None:
        return None
    if zone is True:
        return UTC
    if type(zone) is str:
        return cast("tzinfo", importlib.import_module("zoneinfo").ZoneInfo(zone))
    if type(zone) is int:
        return _pydantic_zone(zone)
    days, seconds, microseconds, *name = cast("list[Any]", zone)
    return timezone(timedelta(days, seconds, microseconds), *name)


def _pydantic_zone(seconds: int) -> tzinfo:
    """What pydantic puts into the datetimes it parses; a plain fixed offset where pydantic is not in use."""
    core: Any = sys.modules.get("pydantic_core")
    return core.TzInfo(seconds) if core is not None else timezone(timedelta(seconds=seconds))


_BUILDERS: dict[Tag, Callable[[Reader, list[Any]], object]] = {
    Tag.TUPLE: lambda _, items: tuple(items[1:]),
    Tag.SET: _set,
    Tag.FROZENSET: _frozenset,
    Tag.DICT: _dict,
    Tag.INT: lambda _, items: int.from_bytes(_payload(items, bytes)[0], "little", signed=True),
    Tag.BYTEARRAY: lambda _, items: bytearray(_payload(items, bytes)[0]),
    Tag.COMPLEX: lambda _, items: complex(*_payload(items, float, float)),
    Tag.RANGE: _range,
    Tag.SLICE: _slice,
    Tag.DECIMAL: _decimal,
    Tag.UUID: _uuid,
    Tag.PATH: _path,
    Tag.DATETIME: _datetime,
    Tag.DATE: lambda _, items: date.fromordinal(*_payload(items, int)),
    Tag.TIME: _time,
    Tag.TIMEDELTA: lambda _, items: timedelta(*_payload(items, int, int, int)),
    Tag.BODY: lambda reader, items: bytes(reader.bodies.next(*items[1:])),
    Tag.BUFFER: lambda reader, items: reader.bodies.next_buffer(*items[1:]),
    Tag.NDARRAY: numpy_values.build_array,
    Tag.NUMPY_SCALAR: numpy_values.build_scalar,
    Tag.NUMPY_DTYPE: numpy_values.build_dtype,
    Tag.ARROW: arrow_values.build,
    Tag.PANDAS: pandas_build.build,
    Tag.POLARS: polars_values.build,
    **dict.fromkeys((Tag.ENUM, Tag.NAMEDTUPLE, Tag.DATACLASS, Tag.MODEL), Reader.typed),
}
_MARKS: dict[int, _Mark] = {tag.value: _Mark(tag, build) for tag, build in _BUILDERS.items()}
