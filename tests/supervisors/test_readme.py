"""The code in the README runs and prints what the README says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[2] / "supervisors" / "README.md").read_text()
CODE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
OUTPUT = re.findall(r"```text\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("run", ["anyio.run(main)", 'anyio.run(main, backend="trio")'])
def test_the_first_example_prints_what_is_said(run: str) -> None:
    code = CODE[0].replace("anyio.run(main)", run)

    shown = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)

    assert shown.stdout == OUTPUT[0]


def test_the_tree_of_the_second_example_can_be_declared_and_seen() -> None:
    code = CODE[1] + "tree = app(print, print, print).tree()\nprint([c.id for c in tree.children[1].children])\n"

    shown = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)

    assert shown.stdout == "['listen', 'index']\n"


@pytest.mark.parametrize("run", ["anyio.run(main)", 'anyio.run(main, backend="trio")'])
def test_the_processes_of_the_third_example_end_as_is_said(run: str) -> None:
    code = CODE[2].replace("anyio.run(main)", run)

    shown = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)

    assert shown.stdout == OUTPUT[1]


def test_the_child_of_the_fourth_example_is_a_child_spec() -> None:
    before = "from functools import partial\nimport subprocess as ingest\n"
    code = f"{before}from actorflow_supervisors import ChildSpec, Subprocess\nprint({CODE[3].strip()})\n"

    shown = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)

    assert "1073741824" in shown.stdout


def test_every_python_block_is_tried() -> None:
    assert len(CODE) == 4
