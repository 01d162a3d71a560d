"""`actorflow actors`, over runs that really go on."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from actorflow.runs.control_socket import listen
from tests.cli import dags
from tests.cli.shell import DEADLINE_S, Going, actorflow, environment, going


@contextmanager
def waiting(folder: Path, file: str = "etl.py") -> Generator[Going]:
    """A run that goes on until it is interrupted, with three attempts at work."""
    (folder / file).write_text(dags.WAITING)
    with going("run", file, cwd=folder) as run:
        run.until("attempt_started", map_index=2)
        yield run


def interrupted(run: Going) -> None:
    run.process.terminate()
    run.end()


def names(trees: Any) -> list[str]:
    return [name for tree in trees for name in (tree["path"].rpartition("/")[2], *names(tree["children"]))]


def test_the_tree_of_the_run_is_printed_once_where_there_is_no_terminal(tmp_path: Path) -> None:
    with waiting(tmp_path) as run:
        done = actorflow("actors", cwd=tmp_path)
        run_id = run.seen[0]["run_id"]

    headline, _, headings, root, *rows = done.out.splitlines()
    assert (done.code, done.err) == (0, "")
    assert headline.startswith(f"run {run_id}  waiting running for ")
    assert headline.endswith(f"journal .actorflow/runs/{run_id}.sqlite")
    assert headings.split("  ")[0] == "ACTOR"
    assert root.startswith(f"{run_id}  running")
    assert [row.split()[1] for row in rows if row.startswith(("├─", "└─"))] == [
        "journal",
        "control",
        "workers",
        "coordinator",
    ]
    assert sum("execute" in row for row in rows) == 3


def test_the_tree_as_json_has_every_actor_with_all_its_fields(tmp_path: Path) -> None:
    with waiting(tmp_path) as run:
        found = actorflow("actors", "--json", cwd=tmp_path).answer
        run_id = run.seen[0]["run_id"]

    (root,) = found["actors"]
    assert (found["v"], found["run_id"], root["path"]) == (1, run_id, run_id)
    assert {"journal", "coordinator", "wait", "0.1", "1.1", "2.1"} <= set(names([root]))
    assert set(root) == {
        "path",
        "actor",
        "state",
        "incarnation",
        "restarts",
        "last_exit",
        "queued_messages",
        "capacity",
        "handled_messages",
        "age_s",
        "current_handler",
        "process",
        "children",
    }


def test_a_run_is_named_as_for_show_and_without_a_name_the_newest_that_goes_on_is_taken(tmp_path: Path) -> None:
    (tmp_path / "add.py").write_text(dags.ADD)
    with waiting(tmp_path, "older.py") as older, waiting(tmp_path, "newer.py") as newer:
        ids = [run.seen[0]["run_id"] for run in (older, newer)]
        assert actorflow("run", "add.py", cwd=tmp_path).code == 0

        newest = actorflow("actors", "--json", cwd=tmp_path).answer["run_id"]
        named = actorflow("actors", ids[0], "--json", cwd=tmp_path).answer["run_id"]
        last = actorflow("actors", "@last", cwd=tmp_path)

    assert [newest, named] == [ids[1], ids[0]]
    assert last.code == 3
    assert "has ended: succeeded" in last.err


def test_a_run_that_has_ended_is_unreachable(tmp_path: Path) -> None:
    (tmp_path / "etl.py").write_text(dags.FAILING)
    assert actorflow("run", "etl.py", cwd=tmp_path).code == 1

    unnamed = actorflow("actors", cwd=tmp_path)
    named = actorflow("actors", "@last", "--json", cwd=tmp_path)

    assert (unnamed.code, named.code) == (3, 3)
    assert "no run is going on in .actorflow" in unnamed.err
    assert "actorflow runs" in unnamed.err
    assert (named.answer["type"], named.answer["exit_code"]) == ("error", 3)
    assert "has ended: failed" in named.answer["message"]


def test_a_run_whose_owner_was_killed_is_told_from_one_that_goes_on(tmp_path: Path) -> None:
    with waiting(tmp_path) as run:
        run.process.kill()
        run.process.wait()

    done = actorflow("actors", "@last", cwd=tmp_path)

    assert done.code == 3
    assert "has ended: interrupted" in done.err


def test_a_run_that_does_not_answer_is_told_from_one_that_has_ended(tmp_path: Path) -> None:
    with waiting(tmp_path) as run:
        socket = tmp_path / ".actorflow" / "runs" / f"{run.seen[0]['run_id']}.sock"
        with listen(socket):
            done = actorflow("actors", cwd=tmp_path)

    assert done.code == 3
    assert "is there but does not answer" in done.err
    assert "a task may block its loop" in done.err


def test_a_run_without_a_socket_is_unreachable(tmp_path: Path) -> None:
    with waiting(tmp_path) as run:
        (tmp_path / ".actorflow" / "runs" / f"{run.seen[0]['run_id']}.sock").unlink()

        done = actorflow("actors", cwd=tmp_path)

    assert done.code == 3
    assert "nobody answers for the run" in done.err


def test_an_unknown_run_is_a_mistake_on_the_command_line(tmp_path: Path) -> None:
    with waiting(tmp_path):
        assert actorflow("actors", "nope", cwd=tmp_path).code == 2


class Terminal:
    """`actorflow actors` on a pseudo-terminal, and what it has drawn so far."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "actorflow", "actors", *arguments],
            cwd=folder,
            env=environment(TERM="xterm-256color", COLUMNS="120", LINES="40"),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.drawn = ""

    def until(self, pattern: str) -> None:
        while not re.search(pattern, self.drawn):
            assert self._read(), f"it ended without {pattern!r}: {self.drawn[-2000:]!r}"

    def end(self) -> int:
        while self._read():
            pass
        os.close(self._ours)
        return self.process.wait(DEADLINE_S)

    def _read(self) -> bool:
        """False once nobody has the other end any more."""
        ready, _, _ = select.select([self._ours], [], [], DEADLINE_S)
        assert ready, f"nothing is drawn any more: {self.drawn[-2000:]!r}"
        try:
            self.drawn += os.read(self._ours, 65536).decode(errors="replace")
        except OSError:
            return False
        return True


def cursor_is_shown(drawn: str) -> bool:
    return drawn.rfind("\x1b[?25h") > drawn.rfind("\x1b[?25l") > -1


def test_on_a_terminal_the_tree_is_drawn_until_the_run_ends(tmp_path: Path) -> None:
    with waiting(tmp_path) as run:
        terminal = Terminal(tmp_path)
        terminal.until("coordinator")
        drawn_once = len(terminal.drawn)
        terminal.until(rf"(?s).{{{drawn_once}}}.*coordinator")  # and again, since it got older
        interrupted(run)
        code = terminal.end()

    assert code == 0
    assert "has ended: cancelled" in terminal.drawn
    assert cursor_is_shown(terminal.drawn)


def test_ctrl_c_ends_the_watching_and_not_the_run(tmp_path: Path) -> None:
    with waiting(tmp_path) as run:
        terminal = Terminal(tmp_path)
        terminal.until("coordinator")
        os.kill(terminal.process.pid, 2)
        code = terminal.end()

        still = actorflow("actors", "--json", cwd=tmp_path)
        run_goes_on = run.process.poll() is None

    assert (code, still.code, run_goes_on) == (130, 0, True)
    assert "Traceback" not in terminal.drawn
    assert cursor_is_shown(terminal.drawn)


@pytest.mark.parametrize("option", ["--once", "--json"])
def test_on_a_terminal_too_it_can_be_asked_once(option: str, tmp_path: Path) -> None:
    with waiting(tmp_path):
        terminal = Terminal(tmp_path, option)
        code = terminal.end()

    assert code == 0
    assert "\x1b[?25l" not in terminal.drawn
    assert "coordinator" in terminal.drawn
    if option == "--json":
        assert json.loads(terminal.drawn)["v"] == 1
