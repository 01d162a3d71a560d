"""`actorflow.run(recycling=...)`: its worker processes make room for new ones as it says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from actorflow import Recycling, dag, run, task


@task
def pid(_number: int) -> int:
    return os.getpid()


@dag
def pids() -> list[int]:
    return pid.map([1, 2, 3, 4])


@pytest.mark.parametrize(("max_tasks", "processes"), [(1, 4), (2, 2), (None, 1)])
def test_a_worker_has_as_many_tasks_as_it_may(tmp_path: Path, max_tasks: int | None, processes: int) -> None:
    result = run(pids, store=tmp_path, workers=1, recycling=Recycling(max_tasks=max_tasks))

    assert len(set(result.value)) == processes
