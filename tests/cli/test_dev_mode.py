"""Python's development mode has nothing to complain about in a run."""

from __future__ import annotations

from pathlib import Path

from tests.cli.shell import actorflow

FINE = """
from actorflow import dag, task

@task
def one() -> int:
    return 1

@dag
def d() -> int:
    return one()
"""


def test_a_worker_leaves_nothing_open_that_the_development_mode_would_tell_of(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(FINE)

    done = actorflow("run", "flow.py", cwd=tmp_path, env={"PYTHONDEVMODE": "1"})

    assert done.code == 0
    assert "ResourceWarning" not in done.err
