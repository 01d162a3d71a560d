"""Every way a command can end has an exit code and words."""

from __future__ import annotations

import json

import pytest

from actorflow.actors.errors import ActorflowError
from actorflow.cli.dispatch import dispatch
from actorflow.runs import store
from actorflow.runs.store_errors import JournalFailed, StoreUnwritable


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
