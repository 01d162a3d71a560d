"""What `actorflow_supervisors` shows, and that it loads no loop before one is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

import actorflow_supervisors


def test_the_shells_are_reached_by_their_names() -> None:
    assert actorflow_supervisors.Supervisor.__name__ == "Supervisor"
    assert actorflow_supervisors.DynamicSupervisor.__name__ == "DynamicSupervisor"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Overseer'"):
        actorflow_supervisors.Overseer  # type: ignore[attr-defined]  # noqa: B018  # pyright: ignore


def test_the_values_load_neither_anyio_nor_a_loop() -> None:
    code = "import sys, actorflow_supervisors; print(sorted({'anyio', 'asyncio', 'trio', 'psutil'} & set(sys.modules)))"

    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert shown.stdout == "[]\n"
