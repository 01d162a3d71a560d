"""Every example runs as its first lines say, through the real command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


def actorflow(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "actorflow", *args]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=100)


PIPELINES = ("fails_on_purpose", "flaky_http", "stdlib_census")
PROGRAMS = ("embed_starlette", "embed_trio")
"""Tested in test_embedding.py."""


def test_every_example_is_tested() -> None:
    assert sorted(path.stem for path in EXAMPLES.glob("*.py")) == sorted(PIPELINES + PROGRAMS)


@pytest.mark.parametrize("name", PIPELINES)
def test_an_example_is_valid_and_says_how_it_is_run(name: str, tmp_path: Path) -> None:
    path = EXAMPLES / f"{name}.py"

    done = actorflow(tmp_path, "validate", str(path))

    assert done.returncode == 0, done.stderr
    assert f"actorflow run examples/{path.name}" in path.read_text()


def test_the_census_counts_real_modules_in_worker_processes(tmp_path: Path) -> None:
    import email

    root = Path(email.__file__).parent

    done = actorflow(tmp_path, "run", str(EXAMPLES / "stdlib_census.py"), "--workers", "2", "--", "--root", str(root))

    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["modules"] == len(list(root.rglob("*.py")))
    assert summary["lines"] == sum(path.read_bytes().count(b"\n") for path in root.rglob("*.py"))
    assert len(summary["largest"]) == 10


def test_every_flaky_page_arrives_after_its_retries(tmp_path: Path) -> None:
    done = actorflow(tmp_path, "run", str(EXAMPLES / "flaky_http.py"), "--json", "--", "--pages", "6")

    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    ends = [event for event in events if event["type"] == "attempt_finished" and event["task"] == "fetch"]
    assert events[-1]["result"]["pages"] == 6
    assert sum(not event["final"] for event in ends) == 6 + 2
    assert {event["error"]["type"].rsplit(":")[-1] for event in ends if event["error"]} == {
        "Unavailable",
        "ConnectionResetError",
    }


def test_the_failing_example_fails_as_it_says_and_its_other_branch_goes_on(tmp_path: Path) -> None:
    done = actorflow(tmp_path, "run", str(EXAMPLES / "fails_on_purpose.py"))

    assert done.returncode == 1
    assert done.stdout == ""
    assert "ValueError: could not convert string to float: 'n/a'" in done.stderr
    assert "fails_on_purpose.py:14 in parse_price" in done.stderr
    assert "count ok" in done.stderr
    assert "actorflow show" in done.stderr
