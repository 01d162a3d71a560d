"""A name that a file gives to two tasks or dags is a fault that names both places."""

from __future__ import annotations

from pathlib import Path

import pytest

from actorflow.flows.faults import Code, FlowFaults
from actorflow.flows.load import imports_restored, load_dag
from actorflow.flows.redefined import redefined

TWICE = """
import actorflow
from actorflow import dag, task

@task
def load() -> int:
    return 1

@actorflow.task(timeout="1s")
def load() -> int:
    return 2

@dag
def daily() -> int:
    return load()
"""


def test_the_second_of_two_tasks_of_one_name_is_a_fault_that_names_the_first(tmp_path: Path) -> None:
    file = tmp_path / "twice.py"
    file.write_text(TWICE)

    with imports_restored(), pytest.raises(FlowFaults) as caught:
        load_dag(str(file))

    fault = next(fault for fault in caught.value.faults if fault.code is Code.duplicate_name)
    assert fault.location is not None
    assert (fault.location.line, fault.related[0].location.line) == (10, 6)
    assert fault.help == "rename one of them"


def test_helpers_without_a_decorator_and_tasks_in_branches_may_share_a_name(tmp_path: Path) -> None:
    file = tmp_path / "once.py"
    file.write_text("def f(): ...\n\ndef f(): ...\n\nif True:\n    from actorflow import task as f\n")

    assert redefined(str(file)) == []
