r"""Signals: the first stops a run, the second kills it, and the terminal is as it was in any case.

| signal | the first time | again |
|---|---|---|
| SIGINT (Ctrl-C) | nothing starts any more; what runs is cancelled and has its grace | what runs is killed |
| SIGTERM | the same | the same |
| SIGHUP (the terminal is gone) | the same; where it was ignored, as by nohup, it still is | the same |
| SIGQUIT (Ctrl-\) | what runs is killed | the same |

SIGPIPE kills nobody: who reads stdout may go away, the run goes on. SIGTSTP (Ctrl-Z) and SIGCONT stop and continue the
command; a live view gives the terminal back meanwhile.

Should the run not end by itself after that (the user's code blocks the loop that would have to end it), a watch
kills every process below this one and leaves: a bound on the wait, never the way a run normally ends.
"""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from actorflow.cli.exits import ExitCode, Terminated
from actorflow.cli.view import Grace

if TYPE_CHECKING:
    import psutil

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
MAY_BE_IGNORED: Final = (signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP)
"""Those that stay ignored where whoever started us had them so."""
_WORDS: Final = {signal.SIGINT: "Ctrl-C", signal.SIGQUIT: "Ctrl-\\", signal.SIGHUP: "SIGHUP, the terminal is gone"}
_WARDEN: Final = "actorflow_supervisors.warden_main"
KILL_MARGIN_S = 3.0
"""What a run may need beyond the grace of its attempts: to kill them, to write their ends down and to close."""


class Stoppable(Protocol):
    """The run, as the signals see it."""

    def cancel(self, reason: str) -> None: ...
    def kill(self) -> None: ...


class Stopper:
    """Answers signals while a run goes on. first: the signal that came first, None if none has.

    suspend: stops the command on SIGTSTP and returns when it goes on; None: as the kernel does.

    The answer is given on a thread of its own, which hears of a signal through a pipe. A Python handler alone would
    not do: it runs only when the main thread gets to it, and a task may have blocked that for good. So on asyncio the
    pipe is the wake-up descriptor that the C handler writes into; trio and uvloop keep that for themselves, and there
    the Python handler writes.
    """

    def __init__(
        self,
        run: Stoppable,
        *,
        loop: Literal["asyncio", "uvloop", "trio"],
        grace_s: float,
        tell: Callable[[Grace], None],
        kill_processes: Callable[[], object],
        leave: Callable[[int], None],
        suspend: Callable[[], None] | None = None,
    ) -> None:
        self.first: signal.Signals | None = None
        self._run = run
        self._loop = loop
        self._grace_s = grace_s
        self._tell = tell
        self._kill_processes = kill_processes
        self._leave = leave
        self._suspend = suspend

    @contextmanager
    def answering(self) -> Generator[None]:
        """The signals of the table come here inside; then they go back to who had them."""
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        watch = threading.Thread(target=self._watch, args=(reading,), name="actorflow stop", daemon=True)
        watch.start()
        woken_by_c = self._loop == "asyncio"
        descriptor = signal.set_wakeup_fd(writing, warn_on_full_buffer=False) if woken_by_c else None
        handler = _heard_already if woken_by_c else partial(_pass_on, writing)
        numbers = (*SIGNALS, *([signal.SIGTSTP] if self._suspend is not None else []))
        before = {number: signal.signal(number, handler) for number in numbers if not _stays_ignored(number)}
        try:
            yield
        finally:
            for number, previous in before.items():
                signal.signal(number, previous)
            if descriptor is not None:
                signal.set_wakeup_fd(descriptor)
            os.close(writing)
            watch.join()
            os.close(reading)

    def _watch(self, reading: int) -> None:
        """Answer each signal; leave once the time that the last one gave is over; end when the pipe is closed."""
        deadline_s: float | None = None
        while True:
            left_s = None if deadline_s is None else max(deadline_s - time.monotonic(), 0.0)
            if not select.select([reading], [], [], left_s)[0]:
                self._leave(exit_code_of(self.first))
                return
            heard = os.read(reading, 64)
            if not heard:
                return
            for number in heard:
                if number == signal.SIGTSTP and self._suspend is not None:
                    self._suspend()
                if number in SIGNALS:
                    deadline_s = time.monotonic() + KILL_MARGIN_S + self._answer(signal.Signals(number))

    def _answer(self, number: signal.Signals) -> float:
        """Stop or kill the run. Returns the grace it has from now on, in seconds."""
        why = _WORDS.get(number, number.name)
        is_first = self.first is None
        self.first = self.first or number
        if is_first and number is not signal.SIGQUIT:
            self._run.cancel(why)
            self._tell(Grace(time.time() + self._grace_s, why))
            return self._grace_s
        self._run.kill()
        self._kill_processes()
        self._tell(Grace(time.time(), why, killed=True))
        return 0.0


@contextmanager
def sigterm_raises() -> Generator[None]:
    """While the user's file loads, SIGTERM ends us as Ctrl-C does: by an exception, with an exit code of its own."""
    before = signal.signal(signal.SIGTERM, _raise_terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def kept_terminal() -> Generator[None]:
    """The terminal's modes are put back however the run ends: a task may have turned off the echo."""
    modes = terminal_modes()
    try:
        yield
    finally:
        restore_terminal(modes)


def terminal_modes() -> list[Any] | None:
    """What termios says of stdin; None where that is no terminal."""
    if not os.isatty(0):
        return None
    import termios

    return termios.tcgetattr(0)


def restore_terminal(modes: list[Any] | None) -> None:
    """Put `modes` back, at once; a terminal that is gone needs none."""
    if modes is None:
        return
    import termios

    with suppress(termios.error):
        termios.tcsetattr(0, termios.TCSANOW, modes)


def exit_code_of(first: signal.Signals | None) -> ExitCode:
    r"""130 after Ctrl-C or Ctrl-\, 143 after SIGTERM or SIGHUP."""
    return ExitCode.terminated if first in (signal.SIGTERM, signal.SIGHUP) else ExitCode.interrupted


def kill_processes_below() -> int:
    """SIGKILL to every process that descends from this one, waited for. Returns how many there were.

    But for the warden, through which the run hears of the others' ends; it ends when this process does.
    """
    import psutil

    below = [process for process in psutil.Process().children(recursive=True) if not _is_warden(process)]
    for process in below:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(below, timeout=KILL_MARGIN_S)
    return len(below)


def _is_warden(process: psutil.Process) -> bool:
    import psutil

    try:
        return any(_WARDEN in part for part in process.cmdline())
    except psutil.Error:
        return False


def leave_at_once(code: int, *, modes: list[Any] | None, say: Callable[[str], None]) -> None:
    """The last resort: kill all processes below this one, restore the terminal, exit."""
    killed = kill_processes_below()
    restore_terminal(modes)
    say(f"the run did not end by itself; {killed} processes killed, it is shown as interrupted")
    os._exit(code)


def _stays_ignored(number: signal.Signals) -> bool:
    return number in MAY_BE_IGNORED and signal.getsignal(number) is signal.SIG_IGN


def _heard_already(number: int, frame: FrameType | None) -> None:
    """The C handler has written the number into the pipe; without a Python handler it would not be called."""


def _pass_on(writing: int, number: int, frame: FrameType | None) -> None:
    os.write(writing, bytes([number]))


def _raise_terminated(number: int, frame: FrameType | None) -> None:
    raise Terminated


def stray_threads() -> list[str]:
    """Names of threads that would keep the interpreter from exiting, such as an abandoned one of a cancelled task."""
    me = threading.main_thread()
    return [one.name for one in threading.enumerate() if one is not me and not one.daemon and one.is_alive()]
