"""Factory: what makes an actor, as a name and encoded arguments, so that another process can make it too.

Which callables have such a name: `actorflow_supervisors.importable`. A `functools.partial` of one has its arguments
encoded; a lambda, a local function and what `__main__` defines can be spawned in this process only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast

from actorflow.actors.codec import Codec, EncodeError
from actorflow.actors.errors import ActorError
from actorflow_supervisors.importable import Name, NoName, find, name_of

_CODEC: Final = Codec()


class NotImportable(ActorError):
    """A factory that another process cannot find; in this one it may be spawned all the same."""


@dataclass(frozen=True, slots=True)
class FactorySpec:
    """A factory by name. arguments: encoded positional ones and named ones, of a partial."""

    module: str
    qualname: str
    arguments: bytes


def describe_factory(factory: Callable[[], Any], codec: Codec = _CODEC) -> FactorySpec:
    """The factory as a name; the table of the module's docstring. Raises NotImportable."""
    if isinstance(factory, partial):
        made = cast("Any", factory)
        spec = describe_factory(made.func, codec)
        try:
            arguments = codec.encode([list(made.args), made.keywords], "arguments")
        except EncodeError as error:
            raise NotImportable(f"the arguments of {spec.qualname} cannot travel to another process: {error}") from None
        return FactorySpec(spec.module, spec.qualname, arguments)
    try:
        name = name_of(factory)
    except NoName as refusal:
        what = f"{refusal.what} can be spawned in this process only: {refusal.why}"
        raise NotImportable(f"{what}; {refusal.help}") from None
    return FactorySpec(name.module, name.qualname, b"")


def load_factory(spec: FactorySpec, codec: Codec = _CODEC) -> Callable[[], Any]:
    """The factory that `spec` describes. Raises ImportError, NotImportable, DecodeError, and what its import raises."""
    try:
        made = cast("Callable[..., Any]", find(Name(spec.module, spec.qualname)))
    except LookupError as missing:
        raise NotImportable(str(missing)) from None
    if not spec.arguments:
        return made
    args, kwargs = cast("tuple[list[Any], dict[str, Any]]", codec.decode(spec.arguments))
    return partial(made, *args, **kwargs)
