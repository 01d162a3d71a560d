"""Signals: the first stops a run, the second kills it, and the terminal is as it was in any case.

| signal | the first time | again |
|---|---|---|
| SIGINT (Ctrl-C) | nothing starts any more; what runs is cancelled and has its grace | what runs is killed |
| SIGTERM | the same | the same |

Should the run not end by itself after that (the user's code blocks the loop that would have to end it), a watch
kills every process below this one and leaves: a bound on the wait, never the way a run normally ends.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any, Protocol

from actorflow.cli.exits import ExitCode, Terminated
from actorflow.cli.view import Grace

KILL_MARGIN_S = 3.0
"""What a run may need beyond the grace of its attempts: to kill them, to write their ends down and to close."""


class Stoppable(Protocol):
    """The run, as the signals see it."""

    def cancel(self, reason: str) -> None: ...
    def kill(self) -> None: ...


class Stopper:
    """Answers signals while a run goes on. first: the signal that came first, None if none has."""

    def __init__(
        self, run: Stoppable, *, grace_s: float, tell: Callable[[Grace], None], leave: Callable[[int], None]
    ) -> None:
        self.first: signal.Signals | None = None
        self._run = run
        self._grace_s = grace_s
        self._tell = tell
        self._leave = leave
        # Each signal puts the seconds that the run has from then on; None ends the watch. Its `put` is the only thing
        # of its kind that a handler may call while the interrupted code holds a lock.
        self._bell: SimpleQueue[float | None] = SimpleQueue()
        self._watch = threading.Thread(target=self._watch_the_end, name="actorflow stop", daemon=True)

    def answer(self, number: int, frame: FrameType | None = None) -> None:
        """The handler of both signals."""
        why = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        if self.first is None:
            self.first = signal.Signals(number)
            self._bell.put(self._grace_s + KILL_MARGIN_S)
            self._run.cancel(why)
            self._tell(Grace(time.time() + self._grace_s, why))
        else:
            self._bell.put(KILL_MARGIN_S)
            self._run.kill()
            self._tell(Grace(time.time(), why, killed=True))

    @contextmanager
    def answering(self) -> Generator[None]:
        """SIGINT and SIGTERM come here inside; then they go back to who had them."""
        self._watch.start()
        before = {number: signal.signal(number, self.answer) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            self._bell.put(None)
            self._watch.join()

    def _watch_the_end(self) -> None:
        left_s = self._bell.get()
        while left_s is not None:
            try:
                left_s = self._bell.get(timeout=left_s)
            except Empty:
                self._leave(exit_code_of(self.first))
                return


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
    """Put `modes` back, at once."""
    if modes is None:
        return
    import termios

    termios.tcsetattr(0, termios.TCSANOW, modes)


def exit_code_of(first: signal.Signals | None) -> ExitCode:
    """130 after Ctrl-C, 143 after SIGTERM."""
    return ExitCode.terminated if first is signal.SIGTERM else ExitCode.interrupted


def leave_at_once(code: int, *, modes: list[Any] | None, say: Callable[[str], None]) -> None:
    """The last resort: kill all processes below this one, wait for their ends, restore the terminal, exit."""
    import psutil

    children = psutil.Process().children(recursive=True)
    for child in children:
        _kill(child)
    psutil.wait_procs(children, timeout=2)
    restore_terminal(modes)
    say(f"the run did not end by itself; {len(children)} processes killed, the run shows as interrupted")
    os._exit(code)


def _kill(process: Any) -> None:
    import psutil

    try:
        process.kill()
    except psutil.NoSuchProcess:
        return


def _raise_terminated(number: int, frame: FrameType | None) -> None:
    raise Terminated


def stray_threads() -> list[str]:
    """Names of threads that would keep the interpreter from exiting, such as an abandoned one of a cancelled task."""
    me = threading.main_thread()
    return [one.name for one in threading.enumerate() if one is not me and not one.daemon and one.is_alive()]
