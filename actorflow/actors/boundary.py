"""Boundary: what happens to messages on the way to another process, done to each one here too in a strict system.

Arguments and replies are encoded and decoded, so that nothing is shared, then validated by pydantic against the
handler's signature, strictly: what comes in must already be of its type. References to actors pass as themselves.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast, get_type_hints

from actorflow.actors.codec import Codec, CodecError, TypeResolver
from actorflow.actors.dispatch import Method
from actorflow.actors.envelope import Ask, Tell
from actorflow.actors.errors import MessageRefused
from actorflow.actors.ref import ActorRef

if TYPE_CHECKING:
    from actorflow.actors.actor import Actor
    from actorflow.actors.cell import Cell


class ArgumentsRefusedError(MessageRefused):
    """Raised in place of a handler whose arguments do not fit; the sender's fault, so it crashes nobody."""


@dataclass(frozen=True, slots=True)
class RefMark:
    """Stands for the n-th reference of one message while that message is encoded."""

    number: int


class Boundary:
    """The crossing of one strict system; keeps how each handler validates."""

    def __init__(self) -> None:
        self._codec = Codec(TypeResolver(allow_main=True))
        self._pydantic = importlib.import_module("pydantic")
        self._arguments: dict[Any, Any] = {}
        self._replies: dict[Any, Any] = {}

    def tell(self, cell: Cell, message: Tell) -> Tell:
        """`message` as it arrives. Raises MessageRefused at the sender if it cannot travel."""
        name, args, kwargs = message
        args, kwargs = self._travel((args, kwargs), f"arguments of {name} for {cell.path!r}")
        return (name, args, kwargs)

    def ask(self, cell: Cell, ask: Ask) -> None:
        """Give `ask` its arguments as they arrive; see `tell`."""
        ask.args, ask.kwargs = self._travel((ask.args, ask.kwargs), f"arguments of {ask.name} for {cell.path!r}")

    def reply(self, cell: Cell, ask: Ask, reply: object) -> Any:
        """`reply` as it arrives. Raises MessageRefused if it cannot travel or is not of the declared type."""
        where = f"reply of {ask.name} from {cell.path!r}"
        arrived = self._travel(reply, where)
        function = getattr(type(cell.actor), ask.name)
        try:
            return self._reply_adapter(function).validate_python(arrived, strict=True)
        except self._pydantic.ValidationError as error:
            raise MessageRefused(f"{where} is not of its declared type: {error}") from error

    def checked(self, actor: Actor, methods: dict[str, Method]) -> dict[str, Method]:
        """`methods` of `actor` that validate their arguments. Raises TypeError for a signature that cannot be read."""
        return {name: self._check(actor, getattr(type(actor), name)) for name in methods}

    def _check(self, actor: Actor, function: Callable[..., Any]) -> Method:
        validate = self._argument_adapter(function).validator.validate_python
        arguments = importlib.import_module("pydantic_core").ArgsKwargs
        invalid = self._pydantic.ValidationError

        async def call(*args: Any, **kwargs: Any) -> Any:
            try:
                coroutine = validate(arguments((actor, *args), kwargs))
            except invalid as error:
                raise ArgumentsRefusedError(str(error)) from error
            return await coroutine

        return call

    def _travel(self, value: Any, where: str) -> Any:
        refs: list[ActorRef[Any]] = []
        try:
            arrived = self._codec.decode(self._codec.encode(_mark_refs(value, refs)))
        except CodecError as error:
            raise MessageRefused(f"{where} cannot travel to another process: {error}") from error
        return _restore_refs(arrived, refs) if refs else arrived

    def _argument_adapter(self, function: Callable[..., Any]) -> Any:
        if function not in self._arguments:
            config = self._pydantic.ConfigDict(strict=True)
            self._arguments[function] = self._adapter(function, function, config)
        return self._arguments[function]

    def _reply_adapter(self, function: Callable[..., Any]) -> Any:
        if function not in self._replies:
            declared = get_type_hints(function, include_extras=True).get("return", Any)
            self._replies[function] = self._adapter(function, declared, None)
        return self._replies[function]

    def _adapter(self, function: Callable[..., Any], kind: Any, config: Any) -> Any:
        try:
            return self._pydantic.TypeAdapter(kind, config=config)
        except Exception as error:
            raise TypeError(
                f"the signature of {function.__qualname__} cannot be validated: {error}; "
                "a strict system needs types that pydantic knows, importable where the actor is defined"
            ) from error


_REFS: tuple[type[Any], ...] = (ActorRef,)
_CONTAINERS: frozenset[Any] = frozenset({list, tuple, set, frozenset})


def _mark_refs(value: Any, refs: list[ActorRef[Any]]) -> Any:
    """`value` with each reference in it, at any depth of plain containers, replaced by its mark."""
    if isinstance(value, _REFS):
        refs.append(value)
        return RefMark(len(refs) - 1)
    return _rebuilt(value, lambda part: _mark_refs(part, refs))


def _restore_refs(value: Any, refs: list[ActorRef[Any]]) -> Any:
    if isinstance(value, RefMark):
        return refs[value.number]
    return _rebuilt(value, lambda part: _restore_refs(part, refs))


def _rebuilt(value: object, part: Callable[[Any], Any]) -> Any:
    """A plain container with `part` done to each of its items; anything else as it is."""
    kind = cast("Any", type(value))
    if kind in _CONTAINERS:
        return kind(map(part, cast("list[Any]", value)))
    if kind is dict:
        return {part(key): part(item) for key, item in cast("dict[Any, Any]", value).items()}
    return value
