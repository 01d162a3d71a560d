"""Types travel by name, "module:qualname", and are looked up, never imported unless a list says so."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable


class UnnamedType(Exception):
    """A type that no name leads back to. `reason` says why, `help` the way out."""

    def __init__(self, reason: str, help: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.help = help


class UnknownType(Exception):
    """A name that leads to no type here."""


class TypeResolver:
    """Finds a type by its name among the modules already imported.

    may_import: modules that may be imported to find a type; all others must be imported already.
    allow_main: types of `__main__` may travel. Right within one process only, since another one has another main.
    """

    def __init__(self, *, may_import: Iterable[str] = (), allow_main: bool = False) -> None:
        self._may_import = frozenset(may_import)
        self._allow_main = allow_main

    def name_of(self, cls: type[object]) -> str:
        """The name `resolve` finds `cls` by; raises UnnamedType if there is none."""
        module, qualname = cls.__module__, cls.__qualname__
        if "<locals>" in qualname:
            raise UnnamedType("it is defined inside a function", "define it at the top level of a module")
        if module == "__main__" and not self._allow_main:
            raise UnnamedType("it is defined in __main__, which is another module elsewhere", "move it to a module")
        name = f"{module}:{qualname}"
        try:
            found = self.resolve(name)
        except UnknownType as exc:
            raise UnnamedType(
                f"its name leads nowhere: {exc}", "bind the class to its own name in its module"
            ) from None
        if found is not cls:
            raise UnnamedType(f"{name} is another class of the same name", "give each class a name of its own")
        return name

    def resolve(self, name: str) -> type:
        """The type called `name`; raises UnknownType.

        Runs no code of any module: it reads the dictionaries of modules and classes, and calls no `__getattr__`.
        """
        module_name, _, qualname = name.partition(":")
        found: object = self._module(module_name).get(qualname)
        if found is None:
            found = _by_path(self._module(module_name), qualname)
        if not isinstance(found, type):
            raise UnknownType(f"module {module_name} has no class {qualname}")
        if module_name == "__main__" and not self._allow_main:
            raise UnknownType(f"{name} belongs to another process's __main__")
        return found

    def _module(self, name: str) -> dict[str, object]:
        module = sys.modules.get(name)
        if module is None and name in self._may_import:
            try:
                module = importlib.import_module(name)
            except Exception as exc:
                raise UnknownType(f"module {name} cannot be imported: {exc!r}") from exc
        if module is None:
            raise UnknownType(f"module {name} is not imported here; import it, or name it in TypeResolver(may_import=)")
        return vars(module)


def _by_path(names: dict[str, object], qualname: str) -> object:
    first, *inner = qualname.split(".")
    found: object = names.get(first)
    for part in inner:
        found = vars(found).get(part) if isinstance(found, type) else None
    return found
