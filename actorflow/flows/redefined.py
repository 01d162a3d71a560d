"""Tasks and dags that a file defines twice under one name: the second hides the first, which nobody would notice."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from actorflow.flows.faults import Code, Fault, Related
from actorflow.flows.graph import Location

_DECORATORS = ("task", "dag")


def redefined(file: str) -> list[Fault]:
    """A fault for each name at the top level of `file` that a second `@task` or `@dag` takes away from a first."""
    first: dict[str, int] = {}
    faults: list[Fault] = []
    for kind, name, line in _decorated(Path(file)):
        if name not in first:
            first[name] = line
            continue
        message = f"`{name}` is defined twice, and the second {kind} hides the first"
        related = (Related(Location(file, first[name]), "the first one"),)
        faults.append(Fault(Code.duplicate_name, message, Location(file, line), "rename one of them", related))
    return faults


def _decorated(path: Path) -> Iterator[tuple[str, str, int]]:
    """(decorator, name, line of the `def`) of the decorated functions at the top level."""
    for node in ast.parse(path.read_bytes()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                kind = _name_of(decorator)
                if kind in _DECORATORS:
                    yield kind, node.name, node.lineno


def _name_of(decorator: ast.expr) -> str:
    """`task` for `@task`, `@task(...)` and `@actorflow.task(...)`."""
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    if isinstance(called, ast.Attribute):
        return called.attr
    return called.id if isinstance(called, ast.Name) else ""
