"""`runs` and `show`, on runs that really were."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest

from actorflow.cli.report import Next
from actorflow.cli.run_page import run_lines
from actorflow.cli.stored import board_of
from actorflow.cli.words import duration
from actorflow.runs.store import SqliteStore
from tests.cli import dags
from tests.cli.shell import actorflow, going


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that succeeded and, after it, one that failed."""
    found = tmp_path_factory.mktemp("stored")
    (found / "add.py").write_text(dags.ADD)
    (found / "etl.py").write_text(dags.FAILING)
    assert actorflow("run", "add.py", "-p", "n=2", "--tag", "team=data", cwd=found).code == 0
    assert actorflow("run", "etl.py", cwd=found).code == 1
    return found


def test_runs_lists_the_newest_first(folder: Path) -> None:
    done = actorflow("runs", cwd=folder)
    heading, failed, succeeded = done.out.splitlines()

    assert heading.split() == ["RUN", "DAG", "STATUS", "STARTED", "TOOK", "TASKS"]
    assert " etl " in failed
    assert " failed " in failed
    assert all(count in failed for count in ("3 ok", "1 failed", "2 not run"))
    assert " add " in succeeded
    assert succeeded.endswith("4 ok")
    assert done.err == ""


def test_runs_as_json_can_be_limited(folder: Path) -> None:
    every = actorflow("runs", "--json", cwd=folder).answer
    newest = actorflow("runs", "--json", "-n", "1", cwd=folder).answer

    assert [run["status"] for run in every["runs"]] == ["failed", "succeeded"]
    assert newest["runs"] == every["runs"][:1]


@pytest.mark.parametrize(
    ("filters", "dags"),
    [
        (("--status", "failed"), ["etl"]),
        (("--status", "failed", "--status", "succeeded"), ["etl", "add"]),
        (("--dag", "add"), ["add"]),
        (("--since", "1h"), ["etl", "add"]),
        (("--until", "1h"), []),
        (("-p", "n=2"), ["add"]),
        (("-p", "n=3"), []),
        (("--tag", "team=data"), ["add"]),
        (("--text", "VALUEERROR"), ["etl"]),
        (("--sort", "dag"), ["etl", "add"]),
        (("--sort", "dag", "--ascending"), ["add", "etl"]),
        (("-n", "1", "--page", "2"), ["add"]),
    ],
    ids=" ".join,
)
def test_runs_are_filtered_sorted_and_paged(filters: tuple[str, ...], dags: list[str], folder: Path) -> None:
    assert [run["dag"] for run in actorflow("runs", "--json", *filters, cwd=folder).answer["runs"]] == dags


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        (("--status", "dead"), "one of queued, running"),
        (("--since", "yesterday"), "--since yesterday: no time"),
        (("--until", "soon"), "--until soon: no time"),
        (("--tag", "team"), "--tag team: no NAME=VALUE"),
        (("-p", "n=1", "-p", "n=2"), "both 1 and 2"),
    ],
    ids=" ".join,
)
def test_a_filter_that_is_none_is_refused(filters: tuple[str, ...], words: str, folder: Path) -> None:
    done = actorflow("runs", *filters, cwd=folder)

    assert done.code == 2
    assert words in done.err


def test_a_page_says_how_many_there_are_beyond_it(folder: Path) -> None:
    assert actorflow("runs", "-n", "1", cwd=folder).out.splitlines()[-1] == "1 to 1 of 2; --page, or -n"
    assert actorflow("runs", "--page", "9", cwd=folder).out == "no runs on this page; there are 2\n"


def test_show_tells_where_a_run_came_from_and_what_its_steps_took(folder: Path) -> None:
    run_id = actorflow("runs", "--json", "--dag", "add", cwd=folder).answer["runs"][0]["run_id"]

    told = actorflow("show", run_id, "--json", cwd=folder).answer
    shown = actorflow("show", run_id, cwd=folder).out

    assert told["tags"] == {"team": "data"}
    assert told["code"] == hashlib.sha256((folder / "add.py").read_bytes()).hexdigest()
    assert all(step["attempts"] >= 1 and step["running_s"] >= 0 for step in told["usage"].values())
    assert "tag team=data" in shown
    assert f"sha256 {told['code'][:12]}" in shown
    assert "n = 2  (-p)" in shown


def test_show_tells_every_failure_where_it_is_asked_to(tmp_path: Path) -> None:
    (tmp_path / "many.py").write_text(MANY_FAILURES)
    assert actorflow("run", "many.py", cwd=tmp_path).code == 1

    first = actorflow("show", "@last", cwd=tmp_path).out
    every = actorflow("show", "@last", "--all", cwd=tmp_path).out

    assert first.count("ValueError: no ") == 3
    assert "and 4 more failed" in first
    assert every.count("ValueError: no ") == 7


MANY_FAILURES = """
from actorflow import dag, task


@task(executor="async")
async def refuse(n: int) -> int:
    raise ValueError(f"no {n}")


@dag
def many() -> list[int]:
    return refuse.map([1, 2, 3, 4, 5, 6, 7])
"""


def test_show_tells_steps_failures_and_what_to_type(folder: Path) -> None:
    done = actorflow("show", "@last", cwd=folder)

    assert done.code == 0
    assert "  etl failed in " in done.out
    assert "FAILED   clean[*]" in done.out
    assert "2 ok, 1 failed" in done.out
    assert "etl.py:9 in parse    return float(text)" in done.out
    assert "debug   actorflow run etl.py:etl --executor inline" in done.out
    assert done.err == ""


def test_show_as_json_has_every_attempt(folder: Path) -> None:
    run = actorflow("show", "@last", "--json", cwd=folder).answer
    failed = next(task for task in run["tasks"] if task["state"] == "failed")

    assert (run["v"], run["status"], run["cause"], run["params"]) == (1, "failed", "error", {})
    assert (failed["name"], failed["map_index"], failed["cause"]) == ("clean", 2, "error")
    assert [attempt["number"] for attempt in failed["attempts"]] == [1, 2]
    assert {"number", "state", "cause", "started", "ended", "worker"} <= failed["attempts"][0].keys()
    assert [task["state"] for task in run["tasks"] if task["name"] in ("report", "mail")] == ["upstream_failed"] * 2


def test_a_run_is_found_by_a_beginning_of_its_id(folder: Path) -> None:
    ids = [run["run_id"] for run in actorflow("runs", "--json", cwd=folder).answer["runs"]]

    assert actorflow("show", ids[1][:-1], "--json", cwd=folder).answer["run_id"] == ids[1]


@pytest.mark.parametrize(
    ("name", "words"), [("nope", ["there is no run 'nope'", "actorflow runs"]), ("2", ["2 runs begin with '2'"])]
)
def test_a_name_that_is_no_run_or_several_is_refused(folder: Path, name: str, words: list[str]) -> None:
    done = actorflow("show", name, cwd=folder)

    assert done.code == 2
    assert [word for word in words if word not in done.err] == []


def test_an_empty_store_has_no_runs(tmp_path: Path) -> None:
    assert actorflow("runs", cwd=tmp_path).out == "no runs\n"
    assert actorflow("runs", "--json", cwd=tmp_path).answer == {"v": 1, "runs": [], "total": 0, "page": 1, "limit": 50}
    assert not (tmp_path / ".actorflow").exists()


def test_show_without_any_run_says_what_to_do(tmp_path: Path) -> None:
    done = actorflow("show", "@last", cwd=tmp_path)

    assert done.code == 2
    assert "there is no run here" in done.err


def test_a_run_whose_process_was_killed_is_shown_as_interrupted(tmp_path: Path) -> None:
    (tmp_path / "etl.py").write_text(dags.WAITING)
    with going("run", "etl.py", cwd=tmp_path) as run:
        run.until("attempt_started", map_index=2)
        run.process.kill()
        run.process.wait()

    assert actorflow("show", "@last", "--json", cwd=tmp_path).answer["status"] == "interrupted"
    shown = actorflow("show", "@last", cwd=tmp_path).out
    assert " waiting interrupted after " in shown
    assert actorflow("show", "@last", cwd=tmp_path).out == shown


def test_an_interrupted_run_has_lasted_until_its_last_record(tmp_path: Path) -> None:
    (tmp_path / "etl.py").write_text(dags.WAITING)
    with going("run", "etl.py", cwd=tmp_path) as run:
        run.until("attempt_started", map_index=2)
        run.process.kill()
        run.process.wait()
    stored = SqliteStore(tmp_path / ".actorflow").open_run("@last")
    lines = run_lines(board_of(stored), Next(target="etl.py", folder=str(tmp_path)), now_s=time.time() + 86_400)
    records = list(stored.records())

    told = "".join(span.text for spans in lines for span in spans)
    assert f"interrupted after {duration(records[-1].ts - records[0].ts)}" in told
    assert "24h" not in told
    assert "1d" not in told


def test_a_run_that_goes_on_is_shown_as_running(tmp_path: Path) -> None:
    (tmp_path / "etl.py").write_text(dags.WAITING)
    with going("run", "etl.py", cwd=tmp_path) as run:
        run.until("attempt_started", map_index=2)

        shown = actorflow("show", "@last", cwd=tmp_path).out

    assert " waiting running for " in shown
    assert "running  wait[*]" in shown


def test_another_store_is_read_on_demand(folder: Path, tmp_path: Path) -> None:
    store = str(folder / ".actorflow")

    assert len(actorflow("runs", "--store", store, "--json", cwd=tmp_path).answer["runs"]) == 2
    assert len(actorflow("runs", "--json", cwd=tmp_path, env={"ACTORFLOW_STORE": store}).answer["runs"]) == 2
