"""Dataclasses, pydantic models, enums and named tuples: which a type is, and its state in and out."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from enum import Enum, Flag
from functools import cached_property
from typing import Any, Protocol, cast

from .errors import DecodeError, Refusal
from .wire import MARKS, Tag

_FOREIGN_STATE: tuple[type, ...] = (
    dict,
    list,
    tuple,
    set,
    frozenset,
    str,
    int,
    float,
    bytes,
    bytearray,
    complex,
    BaseException,
    type,
)
_MODEL_STATE = ("__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")
_new: Callable[[type[object]], object] = object.__new__
_set = object.__setattr__

Build = Callable[..., object]
"""The parts of a tagged array after the type's name -> the value."""


class Parts(Protocol):
    """What the plans for one type need of the lowering."""

    def part(self, value: object, depth: int) -> object: ...
    def named(self, mapping: dict[Any, object], depth: int, step: Callable[[Any], str]) -> dict[object, object]: ...


def kind_of(cls: type[object]) -> Tag | None:
    """The tag a user's type travels under; None for a type that cannot."""
    if issubclass(cls, Enum):
        return Tag.ENUM
    if is_model(cls):
        return Tag.MODEL
    fields: object = getattr(cls, "_fields", None)
    if issubclass(cls, tuple) and isinstance(fields, tuple):
        return Tag.NAMEDTUPLE
    if dataclasses.is_dataclass(cast("Any", cls)) and not issubclass(cls, _FOREIGN_STATE):
        return Tag.DATACLASS
    return None


def is_model(cls: type[object]) -> bool:
    """Whether `cls` is a pydantic model; one cannot exist before pydantic is imported, so it is never imported here."""
    pydantic = sys.modules.get("pydantic.main")
    return pydantic is not None and issubclass(cls, pydantic.BaseModel)


def lower_dataclass(parts: Parts, cls: type[object], name: str) -> Callable[[Any, int], object]:
    """[tag, name, fields] and, if the instance has attributes that are no fields, those."""
    fields = [field.name for field in dataclasses.fields(cast("Any", cls))]
    known = frozenset(fields)
    dropped = _cached_properties(cls)
    slots = [slot for slot in _slots(cls) if slot not in known]

    def lower(value: object, depth: int) -> object:
        _refuse_too_deep(cls, depth)
        out: list[object] = [MARKS[Tag.DATACLASS], name]
        own: dict[str, object] = getattr(value, "__dict__", {})
        if own.keys() == known:
            out.append(parts.named(own, depth - 1, _attribute))
            return out
        state = {field: getattr(value, field) for field in fields if field in own or _has_slot(value, field)}
        out.append(parts.named(state, depth - 1, _attribute))
        other = {key: item for key, item in own.items() if key not in known and key not in dropped}
        other |= {slot: getattr(value, slot) for slot in slots if _has_slot(value, slot)}
        if other:
            out.append(parts.named(other, depth - 1, _attribute))
        return out

    return lower


def dataclass_builder(cls: type[object]) -> Build:
    known = frozenset(field.name for field in dataclasses.fields(cast("Any", cls)))

    def build(fields: object, other: object = None) -> object:
        state = _named(cls, fields, known)
        if other is not None:
            state = state | _named(cls, other, None)
        value = _blank(cls)
        for key, item in state.items():
            _set(value, key, item)  # frozen ones too; no __init__ and no __post_init__ a second time
        return value

    return build


def lower_model(parts: Parts, cls: type[object], name: str) -> Callable[[Any, int], object]:
    """[tag, name, fields], then fields_set, extra and private where they hold more than a plain instance's."""
    known = frozenset(cast("Any", cls).model_fields)

    def lower(value: Any, depth: int) -> object:
        _refuse_too_deep(cls, depth)
        own: dict[str, object] = value.__dict__
        if own.keys() != known:  # computed once and kept in __dict__ (cached_property), or never set (model_construct)
            own = {key: item for key, item in own.items() if key in known}
        out: list[object] = [MARKS[Tag.MODEL], name, parts.named(own, depth - 1, _attribute)]
        fields_set, extra, private = (
            value.__pydantic_fields_set__,
            value.__pydantic_extra__,
            value.__pydantic_private__,
        )
        if extra is None and private is None and fields_set == own.keys():
            return out
        out.append(sorted(fields_set))
        out.append(extra if extra is None else parts.named(extra, depth - 1, _attribute))
        out.append(private if private is None else parts.named(private, depth - 1, _attribute))
        return out

    return lower


def model_builder(cls: type[object]) -> Build:
    model = cast("Any", cls)
    known = frozenset(model.model_fields)
    private_names = frozenset(model.__private_attributes__)
    extra_names = None if model.model_config.get("extra") == "allow" else frozenset[str]()
    # A RootModel has no slots for extra and private: its class says None for all.
    shadowed = {attribute for attribute in _MODEL_STATE if getattr(cls, attribute, "") is None}
    set_extra, set_private = (attribute not in shadowed for attribute in _MODEL_STATE[1:])

    def build(fields: object, fields_set: object = None, extra: object = None, private: object = None) -> object:
        state = _named(cls, fields, known)
        extra = extra if extra is None else _named(cls, extra, extra_names)
        private = private if private is None else _named(cls, private, private_names)
        value = _blank(cls)
        _set(value, "__dict__", state)  # as pydantic's own __setstate__: no validator runs
        _set(value, "__pydantic_fields_set__", set(state if fields_set is None else _strings(fields_set)))
        if set_extra:
            _set(value, "__pydantic_extra__", extra)
        if set_private:
            _set(value, "__pydantic_private__", private)
        return value

    return build


def named_tuple_builder(cls: type[object]) -> Build:
    count = len(cast("Any", cls)._fields)

    def build(*items: object) -> object:
        if len(items) != count:
            raise DecodeError(f"{cls.__qualname__} has {count} fields, {len(items)} came")
        return cast("Any", tuple).__new__(cls, items)

    return build


def enum_builder(cls: type[object]) -> Build:
    members = cast("type[Enum]", cls).__members__

    def build(name: object, combined: object = None) -> object:
        if combined is not None and issubclass(cls, Flag) and type(combined) is int:
            return cls(combined)
        if not isinstance(name, str) or name not in members:
            raise DecodeError(f"{cls.__qualname__} has no member {name!r:.40}")
        return members[name]

    return build


BUILDERS: dict[Tag, Callable[[type[object]], Build]] = {
    Tag.DATACLASS: dataclass_builder,
    Tag.MODEL: model_builder,
    Tag.NAMEDTUPLE: named_tuple_builder,
    Tag.ENUM: enum_builder,
}


def _named(cls: type[object], fields: object, known: frozenset[str] | None) -> dict[str, object]:
    """`fields` as attributes of `cls`; `known`: the only names it may have, None for any."""
    if type(fields) is not dict:
        raise DecodeError(f"the fields of {cls.__qualname__} are no map")
    names = cast("dict[str, object]", fields)
    if known is None:
        _strings(list(names))
    elif not names.keys() <= known:
        unknown = ", ".join(sorted(map(str, names.keys() - known)))
        raise DecodeError(f"{cls.__qualname__} has no field {unknown:.80}")
    return names


def _blank(cls: type[object]) -> object:
    """An instance without any state: no code of the class runs."""
    return _new(cls)


def _strings(items: object) -> list[str]:
    if type(items) is not list or any(type(item) is not str for item in cast("list[object]", items)):
        raise DecodeError("names are no strings")
    return cast("list[str]", items)


def _refuse_too_deep(cls: type[object], depth: int) -> None:
    if depth <= 0:
        raise Refusal(
            type_name=f"{cls.__module__}.{cls.__qualname__}",
            reason="it is nested deeper than the limit, or contains itself",
            help="flatten it, or raise Limits(max_depth=)",
        )


def _attribute(name: str) -> str:
    return f".{name}"


def _cached_properties(cls: type[object]) -> frozenset[str]:
    return frozenset(
        name for base in cls.__mro__ for name, item in vars(base).items() if isinstance(item, cached_property)
    )


def _slots(cls: type[object]) -> list[str]:
    """The slots of a class and its bases under their attribute names."""
    found: list[str] = []
    for base in cls.__mro__:
        slots: object = vars(base).get("__slots__", ())
        for slot in (slots,) if isinstance(slots, str) else cast("tuple[str, ...]", slots):
            mangled = slot.startswith("__") and not slot.endswith("__")
            found.append(f"_{base.__name__.lstrip('_')}{slot}" if mangled else slot)
    return [slot for slot in found if slot not in ("__dict__", "__weakref__")]


def _has_slot(value: object, name: str) -> bool:
    """Whether a slot is set; `hasattr` would also find a class attribute, such as a field's default."""
    for base in type(value).__mro__:
        member = vars(base).get(name)
        if member is not None and hasattr(member, "__set__") and not isinstance(member, property):
            try:
                member.__get__(value, type(value))
            except AttributeError:
                return False
            return True
    return False
