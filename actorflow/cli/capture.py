"""Capture: while a live region holds the terminal, whatever prints (the user's code, its children) goes above it.

Works on file descriptors 1 and 2, so print, logging, C libraries and child processes are all caught; each whole line
is handed on as it comes, an unfinished one at the end.
"""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import TextIO

MAX_LINE_BYTES = 64 * 1024
_READ_BYTES = 64 * 1024


@contextmanager
def captured_output(pass_on: Callable[[str], None]) -> Generator[None]:
    """Lines printed to descriptors 1 and 2 inside go to `pass_on`, on a thread of its own."""
    _flush()
    kept = (os.dup(1), os.dup(2))
    reading, writing = os.pipe()
    stop_reading, stop_writing = os.pipe()
    os.dup2(writing, 1)
    os.dup2(writing, 2)
    os.close(writing)
    pump = threading.Thread(target=_pump, args=(reading, stop_reading, pass_on), name="actorflow output", daemon=True)
    pump.start()
    try:
        yield
    finally:
        _flush()
        for number, descriptor in zip((1, 2), kept, strict=True):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.close(stop_writing)
        pump.join()
        os.close(reading)
        os.close(stop_reading)


@contextmanager
def terminal_of(descriptor: int) -> Generator[TextIO]:
    """A stream of its own onto the terminal behind `descriptor`, which may then point elsewhere.

    What a terminal that is gone has not taken is dropped.
    """
    stream = os.fdopen(os.dup(descriptor), "w", encoding="utf-8", errors="backslashreplace")
    try:
        yield stream
    finally:
        with suppress(OSError):
            stream.close()


def _pump(reading: int, stop: int, pass_on: Callable[[str], None]) -> None:
    """Hand on lines until the writing end is closed, or `stop` is and nothing is left to read.

    Both are asked for, since a process that outlived its run may still hold the writing end.
    """
    rest = b""
    while True:
        ready, _, _ = select.select([reading, stop], [], [])
        if reading not in ready:
            break
        data = os.read(reading, _READ_BYTES)
        if not data:
            break
        *lines, rest = (rest + data).split(b"\n")
        for text in lines:
            pass_on(_decoded(text))
        if len(rest) > MAX_LINE_BYTES:
            pass_on(_decoded(rest))
            rest = b""
    if rest:
        pass_on(_decoded(rest))


def _decoded(text: bytes) -> str:
    return text.removesuffix(b"\r").decode("utf-8", errors="backslashreplace")


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
