"""Ctrl-Z: the terminal is given back while this process is stopped, and taken up again when it goes on."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

from actorflow.cli.view import View


def suspend(view: View) -> None:
    """Stop this process, the picture left standing and the cursor shown meanwhile.

    Where no shell could let it go on nothing happens, as by the kernel's own rule for SIGTSTP.
    """
    if is_looked_after():
        with view.given_back():
            # To this very thread, which is stopped with all others before it goes on; one sent to the process may reach
            # another first, and this one would draw again meanwhile.
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)


@contextmanager
def suspending(view: View) -> Generator[None]:
    """SIGTSTP suspends inside; for a command whose main thread runs no code of the user."""
    before = signal.getsignal(signal.SIGTSTP)
    if before is signal.SIG_IGN:
        yield
        return

    def answer(number: int, frame: FrameType | None) -> None:
        suspend(view)

    signal.signal(signal.SIGTSTP, answer)
    try:
        yield
    finally:
        signal.signal(signal.SIGTSTP, before)


def is_looked_after() -> bool:
    """True if our process group has its shell: a parent in another group of the same session. Source: setpgid(2)."""
    import psutil

    group, session = os.getpgrp(), os.getsid(0)
    try:
        parent = psutil.Process().parent()
        while parent is not None:
            if os.getpgid(parent.pid) != group:
                return os.getsid(parent.pid) == session
            parent = parent.parent()
    except (OSError, psutil.Error):
        return False
    return False
