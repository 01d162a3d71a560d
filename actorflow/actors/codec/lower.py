"""Values into what msgpack can carry: plain scalars, lists and maps, and arrays headed by a tag."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from enum import Enum
from types import ModuleType
from typing import Any, NoReturn, cast

from . import arrow_values, numpy_values, pandas_values, polars_values
from .errors import Refusal, shown, type_name
from .type_names import TypeResolver, UnnamedType
from .typed import Parts, kind_of, lower_dataclass, lower_model
from .wire import LARGE_BYTES, MARKS, Tag, in_or_behind

INLINE: frozenset[type] = frozenset({type(None), bool, int, float, str})
SCALARS: frozenset[type] = INLINE | {bytes}
"""What msgpack carries as it is; bytes only while they are few."""

FEW_ITEMS = 32
MIN_INT, MAX_INT = -(2**63), 2**64 - 1
"""What msgpack has a form for."""

Lower = Callable[[Any, int], object]
"""(value, levels left) -> its lowered form. Any: each is called only with the type it is registered for."""

_BUILTINS: tuple[type, ...] = (dict, list, tuple, set, frozenset, str, int, float, bytes, bytearray, complex)
_PATHS = ("PosixPath", "PurePosixPath", "PureWindowsPath", "WindowsPath")

# (module, type): only looked at when the module is imported already, since no value of it can exist before.
_LEAVES: dict[tuple[str, str], Callable[[Any], list[object]]] = {
    ("decimal", "Decimal"): lambda value: [MARKS[Tag.DECIMAL], str(value)],
    ("uuid", "UUID"): lambda value: [MARKS[Tag.UUID], value.bytes],
    **{("pathlib", name): lambda value: [MARKS[Tag.PATH], type(value).__name__, str(value)] for name in _PATHS},
}


_LIBRARIES: dict[str, tuple[Callable[[Parts, type[object]], Lower | None], str]] = {
    "numpy": (numpy_values.plan_for, "convert it with numpy.asarray(value) or value.tolist()"),
    "pandas": (pandas_values.plan_for, "convert it to a DataFrame, a Series or plain values"),
    "polars": (polars_values.plan_for, "call .collect() on it, or convert it to a DataFrame, a Series or plain values"),
    "pyarrow": (arrow_values.plan_for, "convert it to a Table, an Array or plain values"),
}
"""(how to lower its types, the way out for its others). None of them is imported here: a value of it brings it."""


_NO_PARTS = cast("Parts", None)
"""For whoever asks whether there is a plan, and never uses it."""


class Lowering:
    """Lowers values, and remembers for each type how. Safe between threads: two may only find the same plan."""

    def __init__(self, *, resolver: TypeResolver, max_depth: int) -> None:
        self._resolver = resolver
        self._max_depth = max_depth
        self._plans: dict[type, Lower] = {
            list: self._list,
            dict: self._dict,
            tuple: lambda value, depth: self._items(value, depth, [MARKS[Tag.TUPLE]]),
            set: lambda value, depth: self._items(value, depth, [MARKS[Tag.SET]]),
            frozenset: lambda value, depth: self._items(value, depth, [MARKS[Tag.FROZENSET]]),
            bytes: lambda value, _: in_or_behind(value, Tag.BODY),
            bytearray: lambda value, _: [MARKS[Tag.BYTEARRAY], in_or_behind(bytes(value), Tag.BODY)],
            complex: lambda value, _: [MARKS[Tag.COMPLEX], value.real, value.imag],
            range: lambda value, _: [MARKS[Tag.RANGE], value.start, value.stop, value.step],
            slice: lambda value, depth: self._items(
                (value.start, value.stop, value.step), depth, [MARKS[Tag.SLICE]], (".start", ".stop", ".step")
            ),
            datetime: lambda value, _: _datetime(value),
            date: lambda value, _: [MARKS[Tag.DATE], value.toordinal()],
            time: lambda value, _: _time(value),
            timedelta: lambda value, _: [MARKS[Tag.TIMEDELTA], value.days, value.seconds, value.microseconds],
        }

    def lower(self, value: object) -> object:
        """The lowered form; raises Refusal."""
        return self.part(value, self._max_depth)

    def part(self, value: object, depth: int) -> object:
        kind = type(value)
        if kind in INLINE:
            return value
        plan = self._plans.get(kind)
        if plan is None:
            plan = self._plans[kind] = self._plan_for(kind)
        try:
            return plan(value, depth)
        except Refusal:
            raise
        except Exception as exc:
            reason = f"reading it failed with {type(exc).__name__}: {exc}"
            raise Refusal(type_name=type_name(kind), reason=reason, help="mend the type, or send plain values") from exc

    def _list(self, items: list[object], depth: int) -> object:
        if depth > 0 and all_scalars(items):
            return items
        return self._items(items, depth, [])

    def _items(
        self, items: Iterable[object], depth: int, out: list[object], names: tuple[str, ...] = ()
    ) -> list[object]:
        """`out` with each item lowered at its end."""
        refuse_too_deep(items, depth)
        before = len(out)
        for item in items:
            if type(item) in INLINE:
                out.append(item)
                continue
            try:
                out.append(self.part(item, depth - 1))
            except Refusal as refusal:
                place = len(out) - before
                step = f"{{{shown(item)}}}" if isinstance(items, set | frozenset) else f"[{place}]"
                raise refusal.under(names[place] if names else step) from None
        return out

    def _dict(self, mapping: dict[object, object], depth: int) -> object:
        if depth <= 0:
            refuse_too_deep(mapping, depth)
        if not all_scalars(mapping) or _has_wide_int(mapping):
            return self._pairs(mapping, depth)
        return mapping if all_scalars(mapping.values()) else self.named(mapping, depth - 1, _subscript)

    def named(self, mapping: dict[Any, object], depth: int, step: Callable[[Any], str]) -> dict[object, object]:
        """A map whose keys are scalars, with each value lowered; `step` shows a key in a path."""
        out: dict[object, object] = {}
        for key, value in mapping.items():
            try:
                out[key] = value if type(value) in INLINE else self.part(value, depth)
            except Refusal as refusal:
                raise refusal.under(step(key)) from None
        return out

    def _pairs(self, mapping: dict[object, object], depth: int) -> list[object]:
        out: list[object] = [MARKS[Tag.DICT]]
        for key, value in mapping.items():
            try:
                out.append(self.part(key, depth - 1))
            except Refusal as refusal:
                raise refusal.under(f" (the key {shown(key)})") from None
            try:
                out.append(self.part(value, depth - 1))
            except Refusal as refusal:
                raise refusal.under(_subscript(key)) from None
        return out

    def _plan_for(self, cls: type[object]) -> Lower:
        for (module, name), lower in _LEAVES.items():
            if module in sys.modules and getattr(sys.modules[module], name, None) is cls:
                return lambda value, _: lower(value)
        if plan := _library_plan(self, cls):
            return plan
        kind = kind_of(cls)
        if kind is None:
            refuse(cls)
        try:
            name = self._resolver.name_of(cls)
        except UnnamedType as exc:
            raise Refusal(type_name=type_name(cls), reason=exc.reason, help=exc.help) from None
        match kind:
            case Tag.MODEL:
                return lower_model(self, cls, name)
            case Tag.DATACLASS:
                return lower_dataclass(self, cls, name)
            case Tag.NAMEDTUPLE:
                return self._named_tuple(cls, name)
            case _:
                return self._enum(cls, name)

    def _named_tuple(self, cls: type[object], name: str) -> Lower:
        steps = tuple(f".{field}" for field in cast("Any", cls)._fields)

        def lower(value: tuple[object, ...], depth: int) -> object:
            if getattr(value, "__dict__", None):
                raise Refusal(
                    type_name=type_name(cls),
                    reason="it has attributes beside its fields",
                    help="make it a dataclass",
                )
            return self._items(value, depth, [MARKS[Tag.NAMEDTUPLE], name], steps)

        return lower

    def _enum(self, cls: type[object], name: str) -> Lower:
        members = cast("type[Enum]", cls).__members__

        def lower(member: Enum, depth: int) -> object:
            own = member.name
            if members.get(own) is member:
                return [MARKS[Tag.ENUM], name, own]
            return [MARKS[Tag.ENUM], name, None, member.value]  # a combination of flags has no entry of its own

        return lower


def _library_of(cls: type[object]) -> str | None:
    root = cls.__module__.partition(".")[0]
    return root if root in _LIBRARIES and root in sys.modules else None


def is_library_value(cls: type[object]) -> bool:
    """Whether values of a class of numpy, pandas, polars or pyarrow travel."""
    return _library_plan(_NO_PARTS, cls) is not None


def _library_plan(parts: Parts, cls: type[object]) -> Lower | None:
    library = _library_of(cls)
    return _LIBRARIES[library][0](parts, cls) if library else None


def _has_wide_int(keys: Collection[object]) -> bool:
    """Whether one of them needs more than 64 bits: on the wire it is no scalar, so it cannot be a map's key."""
    if int not in map(type, keys):
        return False
    ints = [key for key in keys if type(key) is int]
    return min(ints) < MIN_INT or max(ints) > MAX_INT


def all_scalars(items: Collection[object]) -> bool:
    """Whether msgpack may carry all items as they are."""
    if len(items) < FEW_ITEMS:
        if INLINE.issuperset(map(type, items)):
            return True
        return SCALARS.issuperset(map(type, items)) and _are_small(items)
    # Most long ones are of one type throughout, and counting it is the fastest proof.
    types = list(map(type, items))
    first = types[0]
    if first in INLINE and types.count(first) == len(types):
        return True
    return SCALARS.issuperset(types) and (bytes not in types or _are_small(items))


def _are_small(items: Collection[object]) -> bool:
    return all(type(item) is not bytes or len(item) < LARGE_BYTES for item in items)


def refuse_too_deep(value: object, depth: int) -> None:
    if depth <= 0:
        raise Refusal(
            type_name=type_name(type(value)),
            reason="it is nested deeper than the limit, or contains itself",
            help="flatten it, or raise Limits(max_depth=)",
        )


def refuse(cls: type[object]) -> NoReturn:
    """Raise a Refusal that says what to do about a type the codec does not carry."""
    raise Refusal(type_name=type_name(cls), reason=_why_not(cls), help=_way_out(cls))


def _why_not(cls: type[object]) -> str:
    base = next((builtin for builtin in _BUILTINS if issubclass(cls, builtin)), None)
    if base is not None:
        return f"it is a subclass of {base.__name__}, and would come back as a bare {base.__name__}"
    if issubclass(cls, datetime | date | time | timedelta):
        return "it is a subclass of a datetime type, and would come back as that"
    return "it is not a value the codec knows"


def _way_out(cls: type[object]) -> str:
    if cls is memoryview:
        return "send bytes(value)"
    if library := next(filter(None, map(_library_of, cls.__mro__)), None):
        return _LIBRARIES[library][1]
    base = next((builtin for builtin in _BUILTINS if issubclass(cls, builtin)), None)
    if base is not None:
        return f"convert it with {base.__name__}(value), or make it a dataclass or a pydantic model"
    if issubclass(cls, type | ModuleType) or any("__call__" in vars(base) for base in cls.__mro__):
        return "send its name instead"
    return "make it a dataclass or a pydantic model, or convert it to plain values first"


def _subscript(key: object) -> str:
    return f"[{shown(key)}]"


def _datetime(value: datetime) -> list[object]:
    out = [MARKS[Tag.DATETIME], value.year, value.month, value.day, value.hour, value.minute, value.second]
    return [*out, value.microsecond, value.fold, _zone(value.tzinfo)]


def _time(value: time) -> list[object]:
    out = [MARKS[Tag.TIME], value.hour, value.minute, value.second]
    return [*out, value.microsecond, value.fold, _zone(value.tzinfo)]


def _zone(zone: tzinfo | None) -> object:
    """None: naive. True: UTC. A str: tz database key. A list: fixed offset. An int: pydantic's, in seconds."""
    if zone is None:
        return None
    if zone is UTC:
        return True
    if type(zone) is timezone:
        offset, *name = cast("Any", zone).__getinitargs__()
        return [offset.days, offset.seconds, offset.microseconds, *name]
    cls = type(zone)
    if "zoneinfo" in sys.modules and cls is sys.modules["zoneinfo"].ZoneInfo:
        if (key := cast("Any", zone).key) is not None:
            return key
    elif cls.__module__.startswith("pydantic_core") and cls.__name__ == "TzInfo":
        offset = zone.utcoffset(None)
        return round(offset.total_seconds()) if offset is not None else True
    raise Refusal(
        type_name=type_name(cls),
        reason="this time zone has no name or fixed offset to send",
        help="use zoneinfo.ZoneInfo(key) or datetime.timezone",
    )
