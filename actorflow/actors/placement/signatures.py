"""Signatures: what comes from another process is checked against the handler it is for, before anybody sees it."""

from __future__ import annotations

import contextlib
import importlib
from functools import cache
from typing import Any, get_type_hints

from actorflow.actors.actor import Actor
from actorflow.actors.dispatch import table_of
from actorflow.actors.errors import MessageRefused, UnknownHandler
from actorflow.actors.placement.shapes import Shapes, shapes_of

Call = tuple[tuple[Any, ...], dict[str, Any]]
"""Positional and named arguments."""


class Signatures:
    """Checks strictly: what comes in must already be of its type. Keeps how each handler does it."""

    def __init__(self) -> None:
        self._shapes: dict[tuple[type, str], Shapes] = {}
        self._call: Any = importlib.import_module("pydantic_core").ArgsKwargs
        self._arguments: dict[tuple[type, str], Any] = {}
        self._replies: dict[tuple[type, str], Any] = {}

    def arguments(self, cls: type[Actor], name: str, call: Call, path: str) -> Call:
        """The arguments as the handler takes them. path: of the actor. Raises UnknownHandler, MessageRefused."""
        validator = self._arguments.get((cls, name))
        if validator is None:
            validator = self._arguments[cls, name] = _arguments_validator(cls, name, path)
        args, kwargs = call
        try:
            (_, *checked), named = validator.validate_python(self._call((None, *args), kwargs), strict=True)
        except ValueError as error:
            raise MessageRefused(f"arguments do not fit {name} of {path!r}: {error}") from error
        return tuple(checked), named

    def shapes(self, cls: type[Actor], name: str) -> Shapes:
        """Which plain arguments and replies need no other check; none for a signature that cannot be checked."""
        found = self._shapes.get((cls, name))
        if found is None:
            try:
                self._arguments[cls, name] = _arguments_validator(cls, name, "")
                found = shapes_of(getattr(cls, name))
            except Exception:  # noqa: BLE001 - told when it is called
                found = Shapes()
            self._shapes[cls, name] = found
        return found

    def prepare(self, cls: type[Actor]) -> None:
        """Read the signatures of all handlers now; what is wrong with one is told when it is called."""
        for name in table_of(cls).handlers:
            with contextlib.suppress(Exception):
                self._arguments[cls, name] = _arguments_validator(cls, name, "")
                self._replies[cls, name] = _reply_adapter(cls, name)
                self.shapes(cls, name)

    def reply(self, cls: type[Actor], name: str, reply: object, path: str) -> Any:
        """The reply, which is of the declared type. Raises MessageRefused."""
        adapter = self._replies.get((cls, name))
        if adapter is None:
            adapter = self._replies[cls, name] = _reply_adapter(cls, name)
        try:
            return adapter.validate_python(reply, strict=True)
        except ValueError as error:
            raise MessageRefused(f"reply of {name} from {path!r} is not of its declared type: {error}") from error


@cache
def signatures() -> Signatures:
    """One for the process: what has been read once is shared, also with processes forked from this one."""
    return Signatures()


def _arguments_validator(cls: type[Actor], name: str, path: str) -> Any:
    """Of the arguments alone: pydantic's own schema of a function, without the call at its end."""
    if name not in table_of(cls).handlers:
        raise UnknownHandler(path, name, tuple(table_of(cls).handlers))
    config = importlib.import_module("pydantic").ConfigDict(strict=True)
    schema = _adapter(getattr(cls, name), config).core_schema
    if schema["type"] == "definitions":
        schema = {**schema, "schema": schema["schema"]["arguments_schema"]}
    else:
        schema = schema["arguments_schema"]
    return importlib.import_module("pydantic_core").SchemaValidator(schema, config)


def _reply_adapter(cls: type[Actor], name: str) -> Any:
    declared = get_type_hints(getattr(cls, name), include_extras=True).get("return", Any)
    return _adapter(declared, None)


def _adapter(kind: Any, config: Any) -> Any:
    try:
        return importlib.import_module("pydantic").TypeAdapter(kind, config=config)
    except Exception as error:
        raise MessageRefused(
            f"the signature of {getattr(kind, '__qualname__', kind)} cannot be checked: {error}; "
            "an actor that is called from another process needs types that pydantic knows"
        ) from error
