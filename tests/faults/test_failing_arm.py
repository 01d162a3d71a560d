"""A diamond with a failing arm ends on every executor and both loops, with exact states."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.shell import actorflow
from tests.faults.leaks import leak_audit as leak_audit

pytestmark = pytest.mark.usefixtures("leak_audit")

BACKENDS = ["asyncio", "trio"]

DIAMOND = """
from actorflow import dag, task

@task{options}
{kind} top() -> int:
    return 1

@task{options}
{kind} left(n: int) -> int:
    raise ValueError("the arm is broken")

@task{options}
{kind} right(n: int) -> int:
    return n + 1

@task{options}
{kind} join(a: int, b: int) -> int:
    return a + b

@dag
def main() -> int:
    first = top()
    return join(left(first), right(first))
"""


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("executor", ["async", "thread", "process", "inline"])
def test_a_diamond_with_a_failing_arm_ends_on_every_executor(tmp_path: Path, executor: str, backend: str) -> None:
    kind = "async def" if executor == "async" else "def"
    options = "" if executor == "async" else f'(executor="{executor}")'
    (tmp_path / "etl.py").write_text(DIAMOND.format(kind=kind, options=options))

    done = actorflow("run", "etl.py", "--backend", backend, "--json", cwd=tmp_path)
    shown = actorflow("show", "@last", "--json", cwd=tmp_path).answer

    assert done.code == 1
    assert shown["status"] == "failed"
    assert {task["name"]: task["state"] for task in shown["tasks"]} == {
        "top": "succeeded",
        "left": "failed",
        "right": "succeeded",
        "join": "upstream_failed",
    }
