"""The live view on a real pseudo-terminal: it draws, scrolls what is printed above it, and leaves the terminal sane."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli import dags
from tests.cli.shell import DEADLINE_S, actorflow, environment, is_alive
from tests.faults.leaks import leak_audit as leak_audit

pytestmark = pytest.mark.usefixtures("leak_audit")

COMMAND = (sys.executable, "-m", "actorflow", "run", "etl.py")
BACKENDS = ["asyncio", "trio"]
JOB_SHELL = (sys.executable, str(Path(__file__).with_name("job_shell.py")))


class Screen:
    """A command whose stdin and stderr are a terminal, its stdout a pipe."""

    def __init__(self, process: subprocess.Popen[str], terminal: int) -> None:
        self.process = process
        self.terminal = terminal
        self.drawn = ""
        self._ended = os.pidfd_open(process.pid)

    def until(self, pattern: str) -> None:
        """Read what is drawn until `pattern` is in it."""
        while not re.search(pattern, self.drawn):
            assert self._read(), f"it ended without {pattern!r}: {self.drawn[-2000:]!r}"

    def press_ctrl_c(self) -> None:
        self.type(b"\x03")

    def type(self, keys: bytes) -> None:
        os.write(self.terminal, keys)

    def end(self) -> int:
        """Read to the end. Returns the exit code."""
        while self._read():
            pass
        os.close(self._ended)
        return self.process.wait(DEADLINE_S)

    def _read(self) -> bool:
        """False once the command has ended and all it drew has been read."""
        ready, _, _ = select.select([self.terminal, self._ended], [], [], DEADLINE_S)
        assert ready, f"nothing is drawn any more: {self.drawn[-2000:]!r}"
        if self.terminal not in ready:
            return False
        self.drawn += os.read(self.terminal, 65536).decode(errors="replace")
        return True


@contextmanager
def on_a_terminal(
    text: str, folder: Path, term: str = "xterm-256color", command: Sequence[str] = COMMAND
) -> Generator[Screen]:
    """Run a file as the leader of a session on a pseudo-terminal; its modes must be the same afterwards.

    The shell's opening of the terminal makes it the session's own, so that Ctrl-C on it becomes a signal.
    """
    (folder / "etl.py").write_text(text)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    before = termios.tcgetattr(theirs)
    process = subprocess.Popen(
        ["/bin/sh", "-c", 'exec "$@" <"$0" 2>"$0"', os.ttyname(theirs), *command],
        cwd=folder,
        env=environment(TERM=term),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield Screen(process, ours)
            assert termios.tcgetattr(theirs) == before
        finally:
            process.kill()
            os.close(theirs)
            os.close(ours)


def result_of(seen: Screen) -> str:
    assert seen.process.stdout is not None
    return seen.process.stdout.read()


def cursor_is_shown(drawn: str) -> bool:
    return drawn.rfind("\x1b[?25h") > drawn.rfind("\x1b[?25l") > -1


def test_a_live_view_draws_and_leaves_the_cursor_and_the_result_alone(tmp_path: Path) -> None:
    with on_a_terminal(dags.ADD, tmp_path) as seen:
        code = seen.end()

        assert (code, result_of(seen)) == (0, "18\n")
    assert "ok   double[*]" in words(seen.drawn)
    assert "succeeded in" in words(seen.drawn)
    assert cursor_is_shown(seen.drawn)


def words(drawn: str) -> str:
    """What is drawn without its escapes."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn)


@pytest.mark.parametrize("backend", BACKENDS)
def test_ctrl_c_on_the_keyboard_cancels_and_restores_the_terminal(tmp_path: Path, backend: str) -> None:
    with on_a_terminal(dags.WAITING, tmp_path, command=[*COMMAND, "--backend", backend]) as seen:
        seen.until("0/3")
        seen.press_ctrl_c()
        code = seen.end()

    assert code == 130
    assert " cancelled in " in words(seen.drawn)
    assert "3 running" in words(seen.drawn)
    assert cursor_is_shown(seen.drawn)


@pytest.mark.parametrize("backend", BACKENDS)
def test_ctrl_c_counts_the_grace_down_and_a_second_one_kills_and_restores_the_terminal(
    tmp_path: Path, backend: str
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with on_a_terminal(dags.WORKER, tmp_path, command=[*COMMAND, "--backend", backend]) as seen:
        pid = int(pipe.read_text())
        seen.press_ctrl_c()
        seen.until("left for what runs")
        seen.press_ctrl_c()
        code = seen.end()

    assert code == 130
    assert not is_alive(pid)
    assert cursor_is_shown(seen.drawn)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 143), (signal.SIGQUIT, 130)])
def test_whatever_signal_ends_it_the_terminal_is_as_it_was(
    tmp_path: Path, backend: str, number: signal.Signals, code: int
) -> None:
    os.mkfifo(tmp_path / "pipe")
    with on_a_terminal(dags.WORKER, tmp_path, command=[*COMMAND, "--backend", backend]) as seen:
        pid = int((tmp_path / "pipe").read_text())
        seen.until("running")
        seen.process.send_signal(number)

        assert seen.end() == code
    assert not is_alive(pid)
    assert cursor_is_shown(seen.drawn)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_command_that_was_stopped_and_continued_goes_on(tmp_path: Path, backend: str) -> None:
    with on_a_terminal(dags.WAITING, tmp_path, command=[*COMMAND, "--backend", backend]) as seen:
        seen.until("0/3")
        seen.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, seen.process.pid, os.WSTOPPED | os.WNOWAIT)
        seen.process.send_signal(signal.SIGCONT)
        seen.press_ctrl_c()

        assert seen.end() == 130
    assert cursor_is_shown(seen.drawn)


@pytest.mark.parametrize("backend", BACKENDS)
def test_ctrl_z_gives_the_terminal_back_until_fg(tmp_path: Path, backend: str) -> None:
    with on_a_terminal(dags.WAITING, tmp_path, command=[*JOB_SHELL, *COMMAND, "--backend", backend]) as seen:
        seen.until("0/3")
        for _ in range(2):
            seen.type(b"\x1a")
            seen.until("Stopped")
            stopped = seen.drawn
            seen.drawn = ""
            seen.type(b"fg\n")
            seen.until(r"goes on[^$]*\x1b\[\?25l[^$]*0/3")

            assert cursor_is_shown(stopped)
        seen.press_ctrl_c()

        assert seen.end() == 130
    assert cursor_is_shown(seen.drawn)


def test_ctrl_z_while_attached_gives_the_terminal_back_until_fg(tmp_path: Path) -> None:
    attach = (sys.executable, "-m", "actorflow", "attach", "@last")
    with on_a_terminal(dags.WAITING, tmp_path) as run:
        run.until("0/3")
        with on_a_terminal(dags.WAITING, tmp_path, command=[*JOB_SHELL, *attach]) as seen:
            seen.until("0/3")
            seen.type(b"\x1a")
            seen.until("Stopped")
            stopped = seen.drawn
            seen.drawn = ""
            seen.type(b"fg\n")
            seen.until(r"goes on[^$]*\x1b\[\?25l[^$]*0/3")
            seen.press_ctrl_c()

            assert seen.end() == 130
        run.press_ctrl_c()
        run.end()

    assert cursor_is_shown(stopped)
    assert cursor_is_shown(seen.drawn)


def test_ctrl_z_where_no_shell_could_let_it_go_on_does_nothing(tmp_path: Path) -> None:
    """The leader of a session: by the kernel's rule, SIGTSTP does not stop it either."""
    with on_a_terminal(dags.WAITING, tmp_path) as seen:
        seen.until("0/3")
        seen.type(b"\x1a")
        seen.press_ctrl_c()

        assert seen.end() == 130


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_worker_that_is_killed_while_the_picture_is_drawn_leaves_the_terminal_alone(
    tmp_path: Path, backend: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    with on_a_terminal(dags.WORKER, tmp_path, command=[*COMMAND, "--backend", backend]) as seen:
        seen.until("running")
        for _ in range(3):
            os.kill(int((tmp_path / "pipe").read_text()), signal.SIGKILL)

        assert seen.end() == 1
    assert "its worker died" in words(seen.drawn)
    assert cursor_is_shown(seen.drawn)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_terminal_that_is_closed_ends_the_run_and_leaves_nothing_behind(tmp_path: Path, backend: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "etl.py").write_text(dags.WORKER)
    pid, ours = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.execve(sys.executable, [*COMMAND, "--backend", backend], environment(TERM="xterm-256color"))
    worker = int((tmp_path / "pipe").read_text())
    os.close(ours)
    _, status = os.waitpid(pid, 0)

    assert os.waitstatus_to_exitcode(status) == 143
    assert not is_alive(worker)
    assert actorflow("show", "@last", "--json", cwd=tmp_path).answer["status"] == "cancelled"


def test_what_a_task_prints_scrolls_above_the_live_region(tmp_path: Path) -> None:
    with on_a_terminal(dags.LOUD, tmp_path) as seen:
        code = seen.end()

        assert (code, result_of(seen)) == (0, '"quiet"\n')
    for text in dags.LOUD_WORDS:
        assert text in seen.drawn


def test_a_task_that_turns_the_echo_off_does_not_leave_it_off(tmp_path: Path) -> None:
    with on_a_terminal(dags.NO_ECHO, tmp_path) as seen:
        code = seen.end()

        assert (code, result_of(seen)) == (0, "true\n")


def test_a_terminal_without_a_cursor_gets_plain_lines(tmp_path: Path) -> None:
    with on_a_terminal(dags.ADD, tmp_path, term="dumb") as seen:
        code = seen.end()

    assert code == 0
    assert "\x1b" not in seen.drawn
    assert "double[*] 5 items" in seen.drawn
