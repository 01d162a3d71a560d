"""Passing: calls, replies, errors and exit reasons as bodies of frames, and back, the same type for type.

An error arrives as its own class where that is importable there and its contents encode, without its `__init__` being
run again; otherwise as a `RemoteError` that says what it was. References to actors travel as addresses.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from actorflow.actors.codec import Codec, CodecError, TypeResolver
from actorflow.actors.codec.lower import MAX_INT, MIN_INT, SCALARS
from actorflow.actors.codec.type_names import UnknownType, UnnamedType
from actorflow.actors.codec.wire import pack
from actorflow.actors.errors import ActorCrashed, MessageRefused, RemoteError
from actorflow.actors.ref import ActorRef
from actorflow.actors.refs_within import with_refs_replaced
from actorflow_supervisors.exit_reason import (
    Crashed,
    ExitReason,
    InitFailed,
    Killed,
    NodeDown,
    NoProc,
    Normal,
    Shutdown,
)

ToAddress = Callable[[ActorRef[Any]], "Address"]
ToRef = Callable[["Address"], ActorRef[Any]]

RESOLVER: Final = TypeResolver()
CODEC: Final = Codec(RESOLVER)

_FLAT: Final[frozenset[type]] = frozenset({type(None), bool, int, float, str})
"""What travels as it is. Bytes do not, since large ones go beside the message."""

_SIZELESS: Final[frozenset[type]] = frozenset({type(None), bool, float})
MAX_PLAIN_LENGTH: Final = 4096
"""Of a str or bytes among plain values, so that a frame of many is bounded."""
MAX_PLAIN: Final = 16
"""Plain arguments of one call."""

_PLAIN_REASONS: Final[Mapping[str, type[Any]]] = {
    kind.__name__: kind for kind in (Normal, Shutdown, Killed, NoProc, NodeDown)
}


@dataclass(frozen=True, slots=True)
class Address:
    """An actor of some process. node: which process. key: which of its actors. path: what it is called there."""

    node: str
    key: int
    path: str


class Passing:
    """One side's way to bodies and back. to_address, to_ref: what references become, and what they were."""

    def __init__(self, to_address: ToAddress, to_ref: ToRef) -> None:
        self._to_address = to_address
        self._to_ref = to_ref

    def pack(self, value: object, where: str) -> bytes:
        """The body of a reply, or of anything. where: what it is, for the error. Raises MessageRefused."""
        if type(value) in _FLAT:
            return pack(value)
        try:
            root = where.partition(" ")[0]  # the rest of the words stands before it already
            return CODEC.encode(with_refs_replaced(value, ActorRef, self._to_address), root)
        except CodecError as error:
            raise MessageRefused(f"{where} cannot travel to another process: {error}") from error

    def read(self, body: bytes) -> Any:
        """Raises DecodeError."""
        return with_refs_replaced(CODEC.decode(body), Address, self._to_ref)

    def read_parcel(self, parcel: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of a call of a placed actor. Raises DecodeError, MessageRefused."""
        if type(parcel) is bytes:
            return self.read_call(parcel)
        args: list[Any] = parcel
        named: dict[str, Any] = {}
        if args and type(args[-1]) is dict:
            *args, named = args
        if not SCALARS.issuperset(map(type, args)) or not SCALARS.issuperset(map(type, named.values())):
            raise MessageRefused("arguments that are not plain came as plain ones")
        return tuple(args), named

    def pack_call(self, args: tuple[Any, ...], kwargs: dict[str, Any], where: str) -> bytes:
        """The body of a call. Raises MessageRefused."""
        if _FLAT.issuperset(map(type, args)) and (not kwargs or _FLAT.issuperset(map(type, kwargs.values()))):
            return pack([list(args), kwargs or None])  # most calls: nothing in it to look for or to lower
        return self.pack([list(args), kwargs or None], where)

    def read_call(self, body: bytes) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Raises DecodeError, MessageRefused."""
        found = CODEC.decode(body)
        try:
            args, kwargs = cast("list[Any]", found)
            if not SCALARS.issuperset(map(type, args)) or (
                kwargs and not SCALARS.issuperset(map(type, kwargs.values()))
            ):
                args, kwargs = with_refs_replaced(found, Address, self._to_ref)
            return tuple(args), kwargs or {}
        except (TypeError, ValueError):
            raise MessageRefused("the arguments are no pair") from None

    def pack_error(self, error: BaseException) -> bytes:
        """The body of an error; whatever it holds, there is one."""
        plain = [type_name(error), str(error), "".join(traceback.format_exception(error))]
        try:
            name = RESOLVER.name_of(type(error))
            state = {key: value for key, value in vars(error).items() if not isinstance(value, BaseException)}
            return self.pack([*plain, name, list(error.args), state], "error")
        except (UnnamedType, MessageRefused):
            return CODEC.encode(plain)

    def read_error(self, body: bytes) -> BaseException:
        """The error, with its type where that is known here; else a RemoteError. Raises DecodeError."""
        name, message, trace, *state = self.read(body)
        remote = RemoteError(name, message, trace)
        if not state:
            return remote
        try:
            error = _rebuilt(*state)
        except UnknownType:
            return remote
        if isinstance(error, ActorCrashed):
            error.error = remote
        error.__cause__ = remote
        return error

    def pack_reason(self, reason: ExitReason) -> bytes:
        """The body of an exit reason."""
        if isinstance(reason, Crashed | InitFailed):
            return CODEC.encode([type(reason).__name__, self.pack_error(reason.error)])
        fields = {name: getattr(reason, name) for name in type(reason).__dataclass_fields__}
        return CODEC.encode([type(reason).__name__, fields])

    def read_reason(self, body: bytes) -> ExitReason:
        """Raises DecodeError, KeyError, TypeError for what is none."""
        name, fields = cast("list[Any]", CODEC.decode(body))
        if name == "Crashed":
            return Crashed(self.read_error(fields))
        if name == "InitFailed":
            return InitFailed(self.read_error(fields))
        return cast("ExitReason", _PLAIN_REASONS[name](**fields))


def is_plain(value: object) -> bool:
    """Whether it is carried as it is, never changes and is small: it may be packed later, with others."""
    if type(value) is int:
        return MIN_INT <= value <= MAX_INT
    if type(value) is str or type(value) is bytes:
        return len(value) <= MAX_PLAIN_LENGTH
    return type(value) in _SIZELESS


def is_plain_call(args: tuple[object, ...], kwargs: Mapping[str, object] | None) -> bool:
    """Whether all arguments are plain, and few."""
    if kwargs:
        return len(args) + len(kwargs) <= MAX_PLAIN and all(map(is_plain, (*args, *kwargs.values())))
    for arg in args:
        if type(arg) is int:  # as in `is_plain`, whose call would be half of it
            if not MIN_INT <= arg <= MAX_INT:
                return False
        elif not is_plain(arg):
            return False
    return len(args) <= MAX_PLAIN


def type_name(error: BaseException) -> str:
    """What an error is called in a message: `ValueError`, `shop.errors.OutOfStock`."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _rebuilt(name: str, args: list[Any], state: dict[str, Any]) -> BaseException:
    """An error of class `name`; no code of that class runs. Raises UnknownType."""
    kind = RESOLVER.resolve(name)
    if not issubclass(kind, BaseException):
        raise UnknownType(f"{name} is no error")
    builtin = next(base for base in kind.__mro__ if base.__module__ == "builtins")
    error: BaseException = cast("Any", builtin).__new__(kind, *args)
    error.__setstate__(state)
    return error
