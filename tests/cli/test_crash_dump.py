"""A task whose process crashes in native code: the failure says where, and nothing of our own is in the way."""

from __future__ import annotations

from pathlib import Path

from tests.cli.shell import actorflow

CRASHING = """
import ctypes
from actorflow import Retry, dag, task

def deep(n: int) -> None:
    ctypes.string_at(0) if n == 0 else deep(n - 1)

@task
def crashes() -> None:
    deep(20)

@dag
def d() -> None:
    return crashes()
"""


def test_the_failure_shows_how_the_dump_begins_and_where_it_crashed(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(CRASHING)

    done = actorflow("run", "flow.py", cwd=tmp_path)
    failure = done.err[done.err.index("signal 11") :]

    assert done.code == 1
    assert "Fatal Python error: Segmentation fault" in failure
    assert "in string_at" in failure
    assert "in deep" in failure
