"""Boundary: what happens to messages on the way to another process, done to each one here too in a strict system.

Arguments and replies are encoded and decoded, so that nothing is shared, then validated by pydantic against the
handler's signature, strictly: what comes in must already be of its type. References to actors pass as themselves.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_type_hints

from actorflow.actors.argument_names import CALL, named_after_parameters
from actorflow.actors.codec import Codec, EncodeError, TypeResolver
from actorflow.actors.dispatch import Method
from actorflow.actors.envelope import Ask, Tell
from actorflow.actors.errors import MessageRefused
from actorflow.actors.ref import ActorRef
from actorflow.actors.refs_within import with_refs_replaced

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
        args, kwargs = self._arrived(cell, name, args, kwargs)
        return (name, args, kwargs)

    def ask(self, cell: Cell, ask: Ask) -> None:
        """Give `ask` its arguments as they arrive; see `tell`."""
        ask.args, ask.kwargs = self._arrived(cell, ask.name, ask.args, ask.kwargs)

    def reply(self, cell: Cell, ask: Ask, reply: object) -> Any:
        """`reply` as it arrives. Raises MessageRefused if it cannot travel or is not of the declared type."""
        where = f"reply of {ask.name} from {cell.path!r}"
        try:
            arrived = self._travel(reply, "reply")
        except EncodeError as error:
            raise MessageRefused(f"{where} cannot travel to another process: {error}") from error
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

    def _arrived(self, cell: Cell, name: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None) -> Any:
        """Arguments after the crossing, as a pair. Raises MessageRefused, which names the parameter and the place."""
        try:
            return self._travel((args, kwargs))
        except EncodeError as error:
            raise MessageRefused(
                f"arguments of {name} for {cell.path!r} cannot travel to another process: "
                f"{named_after_parameters(error, cell.table.handlers.get(name))}"
            ) from error

    def _travel(self, value: Any, name: str = CALL) -> Any:
        refs: list[ActorRef[Any]] = []

        def mark(ref: ActorRef[Any]) -> RefMark:
            refs.append(ref)
            return RefMark(len(refs) - 1)

        def restored(mark: RefMark) -> ActorRef[Any]:
            return refs[mark.number]

        arrived = self._codec.decode(self._codec.encode(with_refs_replaced(value, ActorRef, mark), name))
        return with_refs_replaced(arrived, RefMark, restored) if refs else arrived

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
