"""F12, F13 and P13: no room on the disk half way through a run, on a real small disk and below a real limit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.faults.leaks import leak_audit as leak_audit

SCRIPT = Path(__file__).with_name("store_full.py")
PRINTING = Path(__file__).with_name("output_full.py")
ROOT = Path(__file__).parents[2]
WIDTH = 200

pytestmark = pytest.mark.usefixtures("leak_audit")


def outcome(loop: str, kind: str, folder: Path, *more: str) -> dict[str, Any]:
    command = [sys.executable, str(SCRIPT), loop, kind, str(folder), *more]
    return told(command, folder, mounts=kind == "disk")


def told(command: list[str], folder: Path, *, mounts: bool) -> dict[str, Any]:
    folder.mkdir()
    if mounts:
        command = ["unshare", "--map-root-user", "--mount", *command]
    places = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
@pytest.mark.parametrize(("kind", "code"), [("disk", "SQLITE_FULL"), ("limit", "SQLITE_IOERR_WRITE")])
def test_a_run_waits_for_room_and_then_commits_everything(kind: str, code: str, loop: str, tmp_path: Path) -> None:
    found = outcome(loop, kind, tmp_path / "disk")

    assert found["tries"] == {code: 3}
    assert found["states"] == ["store full", "room"]
    assert found["started_at"][-1] == found["started_at"][1], "nothing starts while there is no room"
    assert found["started_at"][-1] < WIDTH
    assert (found["status"], found["history"], found["dropped"]) == ("succeeded", "succeeded", 0)
    assert (found["results"], found["started"], found["recorded_starts"]) == (WIDTH, WIDTH, WIDTH)
    assert found["acknowledged"] == found["rows"]


@pytest.mark.parametrize("kind", ["disk", "limit"])
def test_a_run_that_gets_no_room_fails_by_name_and_keeps_what_was_acknowledged(kind: str, tmp_path: Path) -> None:
    found = outcome("asyncio", kind, tmp_path / "disk", "gives_up")

    assert found["states"][0] == "store full"
    assert "make room on the disk" in found["failure"]
    assert found["history"] == "interrupted"
    assert 0 < found["acknowledged"] <= found["rows"]
    assert found["started_at"][-1] == found["started_at"][1]
    assert sum(found["tries"].values()) < 12, "no storm of tries"


def test_what_tasks_print_leaves_the_last_room_to_the_journal_and_goes_on_when_there_is_more(tmp_path: Path) -> None:
    found = told([sys.executable, str(PRINTING), str(tmp_path / "disk")], tmp_path / "disk", mounts=True)

    assert (found["status"], found["blocked"]) == ("succeeded", [])
    assert 0 < found["kept"] < 8_001
    assert found["kept"] + found["dropped"] == 8_001
    assert found["later"] == 100
    assert found["free_bytes"] > found["reserve_bytes"] // 2, "what is missing is the journal's"
    told_once, told_again = found["told"]
    assert "what tasks print is not kept for now: " in told_once
    assert f"kept again; {found['dropped']:,} lines were not" in told_again
