"""Importable: callables that another process finds by their name.

| the callable is                                  | elsewhere it is                  |
|--------------------------------------------------|----------------------------------|
| a class or a function at the top of its module   | found by its name                |
| a lambda, or defined inside a function           | refused: no name leads to it     |
| defined in `__main__`                            | refused: main is another module  |
| a bound method, or any other callable object     | refused: it is more than a name  |
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Name:
    """Where a callable is found."""

    module: str
    qualname: str

    def __str__(self) -> str:
        return f"{self.module}:{self.qualname}"


class NoName(Exception):
    """No name leads to it. what, why, help: for the caller's own message."""

    def __init__(self, what: str, why: str, help: str) -> None:
        super().__init__(f"{what}: {why}; {help}")
        self.what = what
        self.why = why
        self.help = help


def name_of(found: object) -> Name:
    """The table of the module's docstring. Raises NoName."""
    module, qualname = getattr(found, "__module__", None), getattr(found, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(qualname, str) or hasattr(found, "__self__"):
        raise NoName(repr(found), "it is an object, not a class or a function", "use a class or a function")
    if "<lambda>" in qualname:
        raise NoName("a lambda", "it has no name", "use a class or a function, or functools.partial of one")
    if "<locals>" in qualname:
        raise NoName(qualname, "it is defined inside a function", "define it at the top level of a module")
    if module == "__main__":
        raise NoName(qualname, "it is defined in __main__", "move it to a module that both processes can import")
    if _within(sys.modules.get(module), qualname) is not found:
        raise NoName(qualname, f"its name in {module} leads elsewhere", "bind it to its own name")
    return Name(module, qualname)


def find(name: Name) -> object:
    """What has that name here; its module is imported. Raises ImportError, LookupError, what the import raises."""
    found = _within(importlib.import_module(name.module), name.qualname)
    if found is None:
        raise LookupError(f"{name.module} has no {name.qualname} here; both processes need the same code")
    return found


def _within(module: object, qualname: str) -> object:
    found = module
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return found
