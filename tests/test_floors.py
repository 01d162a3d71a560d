"""The floors: a file imports from lower floors and from its own folder, never upwards and never sideways."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = {"actorflow", "actorflow_supervisors", "actorflow_transports"}

# Longest prefix wins. A public door re-exports, so it stands above what it shows.
FLOORS = {
    "actorflow_supervisors": 0,
    "actorflow_transports": 0,
    "actorflow.version": 0,
    "actorflow.hot_value": 0,
    "actorflow.own_loop": 1,
    "actorflow.actors": 1,
    "actorflow.flows": 2,
    "actorflow.runs": 3,
    "actorflow.streams": 3,
    "actorflow.executors": 4,
    "actorflow.telemetry": 4,
    "actorflow.compose": 5,
    "actorflow.service": 5,
    "actorflow.recompose": 6,
    "actorflow.cli": 7,
    "actorflow": 8,
    "actorflow.supervisors": 8,
    "actorflow.transports": 8,
    "actorflow.testing": 8,
    "actorflow.errors": 8,
    "actorflow.__main__": 8,
}

# What a floor may know of the outside world.
ALLOWED_THIRD_PARTY = {
    "actorflow_supervisors": {"anyio", "psutil", "trio", "sniffio"},
    "actorflow_transports": {"anyio", "trio", "sniffio"},
}
NOBODY_BELOW_TELEMETRY = "opentelemetry"


def room(module: str) -> str:
    """The folder or file of the house that `module` belongs to."""
    return max((prefix for prefix in FLOORS if module == prefix or module.startswith(prefix + ".")), key=len)


def our_files() -> list[Path]:
    folders = [ROOT / "actorflow", ROOT / "supervisors", ROOT / "transports"]
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts[1:] if parts[0] in {"supervisors", "transports"} else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> Iterator[tuple[str, int, bool]]:
    """Each import of a file as (absolute module, line, hidden inside a function or not)."""
    tree = ast.parse(path.read_text())
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    package = module_name(path).split(".") if path.name == "__init__.py" else module_name(path).split(".")[:-1]
    for node in ast.walk(tree):
        hidden = id(node) in inside
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno, hidden
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            stem = ".".join(part for part in (base, node.module or "") if part)
            for alias in node.names:
                yield (f"{stem}.{alias.name}" if is_module(f"{stem}.{alias.name}") else stem), node.lineno, hidden


@cache
def our_modules(root: Path) -> frozenset[str]:
    """The names of all modules below `root`; a planted house is another root."""
    return frozenset(module_name(path) for path in our_files())


def is_module(name: str) -> bool:
    return name in our_modules(ROOT)


def breaches(path: Path) -> Iterator[str]:
    me = module_name(path)
    my_room = room(me)
    top = me.split(".")[0]
    is_door = FLOORS[my_room] == 7
    for target, line, hidden in imports_of(path):
        where = f"{path.relative_to(ROOT)}:{line}"
        target_top = target.split(".")[0]
        if target_top in OURS:
            other = room(target)
            if other != my_room and FLOORS[other] >= FLOORS[my_room] and not is_door:
                yield f"{where} {me} (floor {FLOORS[my_room]}) imports {target} (floor {FLOORS[other]})"
            if hidden and FLOORS[my_room] < 5:
                yield f"{where} hides an import of ours inside a function: {target}"
        elif target_top == NOBODY_BELOW_TELEMETRY and not me.startswith("actorflow.telemetry"):
            yield f"{where} imports OpenTelemetry below the telemetry floor"
        elif top in ALLOWED_THIRD_PARTY and is_third_party(target_top) and target_top not in ALLOWED_THIRD_PARTY[top]:
            yield f"{where} {top} may not need {target_top}"


def is_third_party(name: str) -> bool:
    return name not in sys.stdlib_module_names


@pytest.mark.parametrize("path", our_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_from_lower_floors_and_its_own_folder(path: Path) -> None:
    assert list(breaches(path)) == []


def test_a_planted_upward_import_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = tmp_path / "actorflow" / "actors" / "planted.py"
    planted.parent.mkdir(parents=True)
    planted.write_text("def f():\n    from actorflow.runs import coordinator\n")
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)

    found = list(breaches(planted))

    assert len(found) == 2
    assert "floor 1" in found[0]
