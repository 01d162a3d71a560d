"""Types: may a value of one annotation go where another is asked for? Unknown counts as yes."""

from __future__ import annotations

import collections.abc
import typing
from collections.abc import Iterable, Mapping
from enum import Enum
from functools import lru_cache
from inspect import Parameter
from typing import Any, TypeVar, cast

from actorflow.flows.hints import Unknown, is_class, is_union

NOT_ITERABLE: object = object()
_WIDER: dict[type[object], tuple[type[object], ...]] = {
    int: (float, complex),
    bool: (float, complex),
    float: (complex,),
}
_LETTERS: dict[type[object], type[object]] = {str: str, bytes: int, bytearray: int, memoryview: int, range: int}
_UNKNOWN = (TypeVar, typing.ParamSpec, str, typing.ForwardRef, Unknown)


def fits(source: object, target: object) -> bool:
    """True unless a value annotated `source` can certainly not stand where `target` is asked for.

    As a type checker decides it, with three mercies: an unknown type fits, containers are covariant (values are passed
    on, not shared), and a NewType is what it is made of.
    """
    try:
        return _fits_cached(source, target)
    except TypeError:  # an unhashable part, as in Literal[[]]
        return _fits(source, target)


def value_fits(value: object, target: object) -> bool:
    """True unless `value` is certainly not of the type `target`; looks into containers."""
    target = plain(target)
    if is_unknown(target):
        return True
    if is_union(target):
        return any(value_fits(value, member) for member in typing.get_args(target))
    if typing.get_origin(target) is typing.Literal:
        return any(value == choice and type(value) is type(choice) for choice in typing.get_args(target))
    origin, args = _shape(target)
    if not is_class(origin):
        return True
    if not _is_instance(value, origin):
        return type(value) in _WIDER and origin in _WIDER[type(value)]
    return not args or _parts_fit(value, origin, args)


def element_type(annotation: object) -> object:
    """What iterating a value of this annotation gives; Any where unknown, NOT_ITERABLE where it certainly fails."""
    annotation = plain(annotation)
    if is_unknown(annotation):
        return Any
    if is_union(annotation):
        elements = [element_type(member) for member in typing.get_args(annotation)]
        return NOT_ITERABLE if NOT_ITERABLE in elements else union_of(elements)
    if typing.get_origin(annotation) is typing.Literal:
        return element_type(union_of([*map(type, cast("tuple[object, ...]", typing.get_args(annotation)))]))
    origin, args = _shape(annotation)
    if not is_class(origin):
        return Any
    if origin is tuple:
        return union_of([arg for arg in args if arg is not ...]) if args else Any
    if args and issubclass(origin, collections.abc.Iterable):
        return args[0]
    if origin in _LETTERS:
        return _LETTERS[origin]
    for base in getattr(origin, "__orig_bases__", ()):
        if typing.get_args(base) and (found := element_type(base)) is not NOT_ITERABLE:
            return found
    # Asked of the class itself: an enum's metaclass can be iterated, its members cannot.
    return Any if any({"__iter__", "__getitem__"} & vars(cls).keys() for cls in origin.__mro__) else NOT_ITERABLE


def union_of(members: Iterable[object]) -> object:
    """The union of some annotations; Any where there is none, or one of them is unknown."""
    unique = list(dict.fromkeys(members))
    if not unique or any(is_unknown(member) for member in unique):
        return Any
    return typing.Union[tuple(unique)]  # noqa: UP007 - the members are known only at run time


def is_unknown(annotation: object) -> bool:
    """True where the annotation says nothing that could be checked."""
    if annotation is Any or annotation is object or annotation is Parameter.empty or annotation is ...:
        return True
    return isinstance(annotation, _UNKNOWN)


def plain(annotation: object) -> object:
    """The annotation without Annotated, NewType and type aliases around it."""
    while True:
        if annotation is None:
            return type(None)
        if typing.get_origin(annotation) is typing.Annotated:
            annotation = typing.get_args(annotation)[0]
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = cast("Any", annotation).__value__
        else:
            return annotation


@lru_cache(maxsize=4096)
def _fits_cached(source: object, target: object) -> bool:
    return _fits(source, target)


def _fits(source: object, target: object) -> bool:
    source, target = plain(source), plain(target)
    if is_unknown(target) or _never(source):
        return True
    if is_unknown(source):
        return source is not object
    if is_union(source):
        return all(fits(member, target) for member in typing.get_args(source))
    if is_union(target):
        return any(fits(source, member) for member in typing.get_args(target)) or _as_literals(source, target)
    if typing.get_origin(source) is typing.Literal:
        return all(value_fits(value, target) for value in typing.get_args(source))
    if typing.get_origin(target) is typing.Literal:
        return _as_literals(source, target)
    return _classes_fit(source, target)


def _never(annotation: object) -> bool:
    return any(annotation is special for special in cast("tuple[object, ...]", (typing.Never, typing.NoReturn)))


def _as_literals(source: object, target: object) -> bool:
    """True where `source` has few values and each of them fits: bool and enums."""
    if source is bool:
        return value_fits(True, target) and value_fits(False, target)
    if is_class(source) and issubclass(source, Enum):
        return bool(list(source)) and all(value_fits(member, target) for member in source)
    return False


def _classes_fit(source: object, target: object) -> bool:
    (source_class, _), (target_class, target_args) = _shape(source), _shape(target)
    if not is_class(source_class) or not is_class(target_class):
        return True
    if not _is_subclass(source_class, target_class):
        return target_class in _WIDER.get(source_class, ())
    if not target_args:
        return True
    if target_class is tuple:
        return _tuples_fit(source, target_args)
    source_args = _args_as(source, target_class)
    if source_args is None or len(source_args) != len(target_args):
        return True
    if target_class.__module__ in ("builtins", "collections", "collections.abc"):
        return all(map(fits, source_args, target_args))
    # The variance of a user's generic is not known here: either way round will do.
    return all(fits(one, two) or fits(two, one) for one, two in zip(source_args, target_args, strict=True))


def _tuples_fit(source: object, target_args: tuple[object, ...]) -> bool:
    source_class, source_args = _shape(source)
    if source_class is not tuple or not source_args:
        return True
    if target_args[-1] is ...:
        return all(fits(arg, target_args[0]) for arg in source_args if arg is not ...)
    if source_args[-1] is ...:
        return all(fits(source_args[0], arg) for arg in target_args)
    return len(source_args) == len(target_args) and all(map(fits, source_args, target_args))


def _args_as(source: object, base: type[object]) -> tuple[object, ...] | None:
    """The type arguments of `source` seen as its base class `base`; None where they are not known."""
    source_class, source_args = _shape(source)
    if source_class is base:
        return source_args or None
    if _is_subclass(base, collections.abc.Mapping):
        return source_args if len(source_args) == 2 else _inherited_args(source_class, base)
    if base.__module__ == "collections.abc" and _is_subclass(base, collections.abc.Iterable):
        element = element_type(source)
        return None if element is NOT_ITERABLE else (element,)
    return _inherited_args(source_class, base)


def _inherited_args(source_class: object, base: type[object]) -> tuple[object, ...] | None:
    for parent in getattr(source_class, "__orig_bases__", ()):
        parent_class = typing.get_origin(parent)
        if is_class(parent_class) and _is_subclass(parent_class, base):
            return _args_as(parent, base)
    return None


def _shape(annotation: object) -> tuple[object, tuple[object, ...]]:
    origin = typing.get_origin(annotation)
    return (annotation, ()) if origin is None else (origin, typing.get_args(annotation))


def _is_subclass(source: type[object], target: type[object]) -> bool:
    if typing.is_typeddict(target):
        return source is target or source is dict or typing.is_typeddict(source)
    if typing.is_typeddict(source):
        return issubclass(dict, target)
    try:
        return issubclass(source, target)
    except TypeError:  # a protocol that cannot be asked
        return True


def _is_instance(value: object, origin: type[object]) -> bool:
    if typing.is_typeddict(origin):
        return isinstance(value, dict)
    try:
        return isinstance(value, origin)
    except TypeError:  # as above
        return True


def _parts_fit(value: object, origin: type[object], args: tuple[object, ...]) -> bool:
    if isinstance(value, tuple) and origin is tuple and args[-1] is not ...:
        parts = cast("tuple[object, ...]", value)
        return len(parts) == len(args) and all(map(value_fits, parts, args))
    if isinstance(value, Mapping) and len(args) == 2:
        pairs = cast("Mapping[object, object]", value).items()
        return all(value_fits(key, args[0]) and value_fits(part, args[1]) for key, part in pairs)
    if isinstance(value, list | tuple | set | frozenset) and issubclass(origin, collections.abc.Iterable):
        return all(value_fits(part, args[0]) for part in cast("Iterable[object]", value))
    return True
