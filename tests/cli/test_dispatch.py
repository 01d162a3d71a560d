"""Every way a command can end has an exit code and words."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest

from actorflow.actors.errors import ActorflowError
from actorflow.cli.dispatch import dispatch
from actorflow.runs import store
from actorflow.runs.store_errors import JournalFailed, StoreUnwritable
from tests.cli.shell import environment


def fail(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """`actorflow runs` meets `error`."""

    def find_runs(self: store.SqliteStore, query: object) -> object:
        raise error

    monkeypatch.setattr(store.SqliteStore, "find_runs", find_runs)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ZeroDivisionError("oh"), 70, ["Traceback", "ZeroDivisionError: oh", "this is a bug in actorflow"]),
        (
            StoreUnwritable("/s", "cannot be written", "choose another"),
            2,
            ["error: /s: cannot be written", "help: choose"],
        ),
        (JournalFailed("/s", "disk full", "make room"), 1, ["error: /s: disk full", "help: make room"]),
        (ActorflowError("in words"), 2, ["error: in words"]),
        (KeyboardInterrupt(), 130, ["interrupted"]),
        (BrokenPipeError(), 0, []),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 0, []),
        (OSError(errno.ENOSPC, "No space left"), 1, ["error: the answer could not be written: No space left"]),
        (OSError(errno.ENOSPC, "No space left", "/x"), 70, ["Traceback", "this is a bug in actorflow"]),
    ],
)
def test_an_error_becomes_an_exit_code_and_words_on_stderr(
    error: BaseException,
    code: int,
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fail(monkeypatch, error)

    assert dispatch(["runs"]) == code

    out, err = capsys.readouterr()
    assert out == ""
    assert [word for word in words if word not in err] == []


def test_a_bug_of_ours_is_json_too_where_json_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fail(monkeypatch, ZeroDivisionError("oh"))

    assert dispatch(["runs", "--json"]) == 70

    event = json.loads(capsys.readouterr().out)
    assert (event["type"], event["exit_code"], event["message"]) == ("error", 70, "ZeroDivisionError: oh")


@pytest.mark.parametrize(
    "arguments",
    [["runs"], ["runs", "--json"], ["doctor"], ["--help"], ["runs", "--help"], ["runs", "-n", "0", "--json"]],
)
def test_an_answer_that_cannot_be_written_is_no_bug_of_ours(arguments: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-u", "-m", "actorflow", *arguments]  # unbuffered: fails in the midst of the answer

    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command, cwd=tmp_path, env=environment(), stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )

    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
