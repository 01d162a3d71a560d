"""When worker processes make room for new ones, and when they cannot be copies: said in a profile, a flag, the plan."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from actorflow.cli.complaint import Complaint
from actorflow.cli.profile import read_profile
from actorflow.cli.recycle import recycling_of
from actorflow.cli.settings import settings
from actorflow_supervisors.recycling import Recycling
from tests.cli.shell import actorflow

PROFILE = """
[profile.ci.recycle]
max_tasks = 5
max_age = "1h"
"""

PIDS = """
import os
from actorflow import dag, task

@task
def pid(n: int) -> int:
    return os.getpid()

@dag
def pids(n: int = 4) -> list[int]:
    return pid.map(list(range(4)))
"""

THREADED = (
    """
import threading
threading.Thread(target=threading.Event().wait, daemon=True).start()
"""
    + PIDS
)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, Recycling()),
        ({"max_tasks": "3"}, Recycling(max_tasks=3)),
        ({"max_tasks": 3, "max_age": "10m"}, Recycling(max_tasks=3, max_age_s=600.0)),
        ({"max_age": 90}, Recycling(max_age_s=90)),
        ({"max_rss": "512MiB"}, Recycling(max_rss_bytes=512 << 20)),
        (
            {"max_tasks": "0", "max_age": "0", "max_rss": 0},
            Recycling(max_tasks=None, max_age_s=None, max_rss_bytes=None),
        ),
    ],
)
def test_what_is_given_is_read_over_the_defaults(given: dict[str, object], expected: Recycling) -> None:
    assert recycling_of(given) == expected


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"max_task": "3"}, "no limit `max_task`; there are max_tasks, max_age, max_rss"),
        ({"max_tasks": "-1"}, "max_tasks is a whole number of tasks, not '-1'"),
        ({"max_tasks": True}, "max_tasks is a whole number of tasks, not True"),
        ({"max_age": "soon"}, "'soon' is no duration"),
        ({"max_age": True}, "max_age is a text with a unit, or 0 for no limit, not True"),
        ({"max_rss": "1G"}, '"G" may mean two things'),
    ],
)
def test_what_is_no_limit_is_refused_in_words(given: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        recycling_of(given)

    assert words in str(caught.value)


def test_a_flag_wins_over_the_profile_limit_by_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "actorflow.toml").write_text(PROFILE)
    monkeypatch.chdir(tmp_path)

    assert settings(profile="ci").recycling == Recycling(max_tasks=5, max_age_s=3600.0)
    assert settings(profile="ci", recycle=["max_tasks=2"]).recycling == Recycling(max_tasks=2, max_age_s=3600.0)
    assert settings().recycling is None
    with pytest.raises(click.UsageError, match="--recycle takes NAME=VALUE, not `5`"):
        settings(recycle=["5"])
    with pytest.raises(click.UsageError, match="--recycle: no limit `x`"):
        settings(recycle=["x=5"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[profile.ci]\nrecycle = 3", "must be a table with some of max_tasks, max_age, max_rss"),
        ("[profile.ci]\nrecycle = {max_age = 'soon'}", "'soon' is no duration"),
    ],
)
def test_a_mistake_in_the_profiles_table_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "actorflow.toml").write_text(text)

    with pytest.raises(Complaint) as caught:
        read_profile("ci", tmp_path)

    (remark,) = caught.value.remarks
    assert remark.message.startswith(f"profile `ci`: `recycle`: {message}")


def test_a_worker_that_may_have_one_task_has_one(tmp_path: Path) -> None:
    (tmp_path / "pids.py").write_text(PIDS)

    done = actorflow("run", "pids.py", "--recycle", "max_tasks=1", "--workers", "1", cwd=tmp_path)

    assert done.code == 0, done.err
    assert len(set(done.answer)) == 4
    assert "note a worker process makes room for a new one after 1 task, after 3,600 s, above 1,024 MiB" in done.err


def test_the_plan_says_when_workers_make_room(tmp_path: Path) -> None:
    (tmp_path / "pids.py").write_text(PIDS)

    plain = actorflow("plan", "pids.py", cwd=tmp_path)
    told = actorflow("plan", "pids.py", "--recycle", "max_rss=256MiB", cwd=tmp_path)

    assert "makes room" not in plain.out
    assert "above 256 MiB" in told.out


def test_plan_and_run_say_why_workers_are_no_copies(tmp_path: Path) -> None:
    (tmp_path / "pids.py").write_text(THREADED)
    words = "each worker process imports the file itself, which takes longer than a copy: importing it started 1 thread"

    assert words in actorflow("plan", "pids.py", cwd=tmp_path).out
    assert words in actorflow("run", "pids.py", "--workers", "1", cwd=tmp_path).err
    assert "copy" not in actorflow("plan", "pids.py", "--executor", "inline", cwd=tmp_path).out
