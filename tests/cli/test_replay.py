"""`actorflow replay`: a new run, linked to the former one, with its parameters and, from a step on, its results."""

from __future__ import annotations

from pathlib import Path

import pytest

import actorflow
from actorflow.runs.large_values import ValueOptions
from tests.cli import shell

FLOW = """
import os
from actorflow import dag, task

def tell(name):
    with open("effects", "a") as effects:
        effects.write(name + "\\n")

@task
async def rows(n: int) -> list[int]:
    tell("rows")
    return list(range(n))

@task
async def clean(row: int) -> int:
    tell(f"clean[{row}]")
    return row * 2

@task
async def total(rows: list[int], plus: int) -> int:
    tell("total")
    if not os.path.exists("mended"):
        raise ValueError("no")
    return sum(rows) + plus

@dag
def etl(n: int = 3, plus: int = 0) -> int:
    return total(clean.map(rows(n)), plus)
"""


@pytest.fixture
def former(tmp_path: Path) -> Path:
    """A folder with a run that has failed in its last step."""
    (tmp_path / "etl.py").write_text(FLOW)
    assert af(tmp_path, "run", "etl.py", "-p", "n=4").code == 1
    (tmp_path / "effects").unlink()
    (tmp_path / "mended").touch()
    return tmp_path


def af(folder: Path, *arguments: str) -> shell.Ended:
    return shell.actorflow(*arguments, cwd=folder)


def effects(folder: Path) -> list[str]:
    return (folder / "effects").read_text().splitlines()


def shown(folder: Path) -> list[dict[str, object]]:
    runs: list[dict[str, object]] = af(folder, "runs", "--json").answer["runs"]
    return runs


def test_everything_runs_again_with_the_parameters_that_were_given(former: Path) -> None:
    ended = af(former, "replay", "@last")

    assert (ended.code, ended.out) == (0, "12\n")
    assert sorted(effects(former)) == ["clean[0]", "clean[1]", "clean[2]", "clean[3]", "rows", "total"]


def test_the_new_run_names_the_former_one_and_leaves_it_as_it_is(former: Path) -> None:
    (before,) = shown(former)

    af(former, "replay", "@last")

    new, old = shown(former)
    assert old == before
    assert af(former, "show", "@last", "--json").answer["replay_of"] == before["run_id"]
    assert f"replay of {before['run_id']}" in af(former, "show", str(new["run_id"])).out


def test_from_a_step_on_the_other_results_are_taken_over(former: Path) -> None:
    ended = af(former, "replay", "@last", "--from", "total", "--json")

    assert ended.events[-1]["result"] == 12
    assert effects(former) == ["total"]
    reused = [(one["task"], one["map_index"]) for one in ended.events if one.get("cause") == "reused"]
    assert reused == [("rows", None), *[("clean", index) for index in range(4)]]


def test_another_value_of_a_parameter_runs_what_reads_it(former: Path) -> None:
    ended = af(former, "replay", "@last", "--from", "total", "-p", "plus=100")
    assert (ended.out, effects(former)) == ("112\n", ["total"])

    ended = af(former, "replay", "@last", "--from", "total", "-p", "n=2", "--json")
    assert ended.events[-1]["result"] == 102
    assert ended.events[0]["params"]["n"] == {"value": 2, "source": "-p"}
    assert ended.events[0]["params"]["plus"] == {"value": 100, "source": "replay"}
    assert effects(former)[1:] == ["rows", "clean[0]", "clean[1]", "total"]


def test_a_replay_may_be_resumed_and_takes_nothing_twice(former: Path) -> None:
    (former / "mended").unlink()
    assert af(former, "replay", "@last", "--from", "total").code == 1
    (former / "mended").touch()

    ended = af(former, "resume", "@last")

    assert (ended.code, ended.out) == (0, "12\n")
    assert effects(former) == ["total", "total"]


def test_from_a_step_on_needs_the_same_structure_and_a_step_of_that_name(former: Path) -> None:
    ended = af(former, "replay", "@last", "--from", "totl")
    assert ended.code == 2
    assert "did you mean `total`?" in ended.err

    (former / "etl.py").write_text(FLOW.replace("total(clean.map(rows(n)), plus)", "total(clean.map(rows(n)), 5)"))
    ended = af(former, "replay", "@last", "--from", "total")
    assert ended.code == 2
    assert "cannot be replayed from total" in ended.err
    assert af(former, "replay", "@last").out == "17\n"


def test_a_large_value_that_was_released_is_made_anew(tmp_path: Path) -> None:
    calls: list[str] = []

    @actorflow.task(executor="inline")
    def large() -> str:
        calls.append("large")
        return "x" * 1000

    @actorflow.task(executor="inline")
    def small(text: str) -> int:
        calls.append("small")
        return len(text)

    @actorflow.task(executor="inline")
    def last(n: int) -> int:
        calls.append("last")
        return n + 1

    @actorflow.dag
    def three() -> int:
        return last(small(large()))

    values = ValueOptions(max_inline_bytes=100)
    run = actorflow.run(three, store=tmp_path, values=values)
    calls.clear()

    assert actorflow.replay(run.run_id, three, start=["last"], store=tmp_path, values=values).value == 1001
    assert calls == ["last"]
    assert actorflow.replay(run.run_id, three, start=["small"], store=tmp_path, values=values).value == 1001
    assert calls == ["last", "large", "small", "last"]


def test_only_what_is_selected_runs(former: Path) -> None:
    ended = af(former, "replay", "@last", "--select", "rows+1", "--json")

    states = {(one["task"], one["cause"]) for one in ended.events if one["type"] == "task_finished"}
    assert ("total", "selected_out") in states
    assert ended.events[-1]["status"] == "succeeded"
    assert "total" not in effects(former)
