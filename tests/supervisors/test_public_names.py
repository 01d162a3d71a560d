"""What `actorflow_supervisors` shows, and that a name loads no more than it needs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import actorflow_supervisors


def names_for_type_checkers() -> list[str]:
    tree = ast.parse(Path(actorflow_supervisors.__file__).read_text())
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return sorted(alias.name for node in imports for alias in node.names if (node.module or "").startswith("actorflow"))


def test_every_name_a_type_checker_sees_is_there_at_run_time_and_no_other() -> None:
    assert dir(actorflow_supervisors) == names_for_type_checkers()


@pytest.mark.parametrize("name", names_for_type_checkers())
def test_a_public_name_can_be_had(name: str) -> None:
    assert getattr(actorflow_supervisors, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Overseer'"):
        actorflow_supervisors.Overseer  # type: ignore[attr-defined]  # noqa: B018  # pyright: ignore


@pytest.mark.parametrize("name", ["Backoff", "ChildSpec", "Killed", "RestartIntensity", "ChildStarted"])
def test_a_value_loads_neither_anyio_nor_a_loop(name: str) -> None:
    code = (
        f"import sys; from actorflow_supervisors import {name}; "
        "print(sorted({'anyio', 'asyncio', 'trio', 'psutil'} & set(sys.modules)))"
    )

    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert shown.stdout == "[]\n"
