"""Factory: what makes an actor, as a name and encoded arguments, so that another process can make it too.

| the factory is                                             | elsewhere it is                        |
|------------------------------------------------------------|----------------------------------------|
| a class or a function, found by its name in its module     | found by that name                     |
| a `functools.partial` of one, its arguments encodable      | found, and given the decoded arguments |
| a lambda, or defined inside a function                     | refused: no name leads to it           |
| defined in `__main__`                                      | refused: main is another module there  |
| a bound method, or any other callable object               | refused: it is more than a name        |
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast

from actorflow.actors.codec import Codec, EncodeError
from actorflow.actors.errors import ActorError

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
    module, qualname = getattr(factory, "__module__", None), getattr(factory, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(qualname, str) or hasattr(factory, "__self__"):
        raise _refused(repr(factory), "it is an object, not a class or a function", "use a class, or a partial of one")
    if "<lambda>" in qualname:
        raise _refused("a lambda", "it has no name", "use a class, a function, or functools.partial(Class, ...)")
    if "<locals>" in qualname:
        raise _refused(qualname, "it is defined inside a function", "define it at the top level of a module")
    if module == "__main__":
        raise _refused(qualname, "it is defined in __main__", "move it to a module that both processes can import")
    if _found(sys.modules.get(module), qualname) is not factory:
        raise _refused(qualname, f"its name in {module} leads elsewhere", "bind it to its own name")
    return FactorySpec(module, qualname, b"")


def load_factory(spec: FactorySpec, codec: Codec = _CODEC) -> Callable[[], Any]:
    """The factory that `spec` describes. Raises ImportError, NotImportable, DecodeError, and what its import raises."""
    made = _found(importlib.import_module(spec.module), spec.qualname)
    if not callable(made):
        raise NotImportable(f"{spec.module} has no {spec.qualname} here; both processes need the same code")
    if not spec.arguments:
        return cast("Callable[[], Any]", made)
    args, kwargs = cast("tuple[list[Any], dict[str, Any]]", codec.decode(spec.arguments))
    return partial(made, *args, **kwargs)


def _found(module: object, qualname: str) -> object:
    found = module
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return found


def _refused(what: str, why: str, help: str) -> NotImportable:
    return NotImportable(f"{what} can be spawned in this process only: {why}; {help}")
