"""Async functions that the tests run in processes of their own; importable there."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import anyio


async def writes(path: str, text: str) -> None:
    Path(path).write_text(f"{text} {os.getpid()}")


async def accepts(thing: object) -> None:
    raise AssertionError(thing)


async def raises() -> None:
    raise ValueError("the pump is dry")


async def dies(number: int) -> None:
    os.kill(os.getpid(), number)


async def exits(code: int) -> None:
    os._exit(code)


async def allocates() -> None:
    blocks: list[bytes] = []
    while True:
        blocks.append(os.urandom(1 << 20))


async def cleans_up(pipe: str) -> None:
    """Writes a byte when it runs, and another when it has cleaned up."""
    said = os.open(pipe, os.O_WRONLY)
    try:
        os.write(said, b"r")
        await anyio.sleep_forever()
    finally:
        os.write(said, b"c")


async def says_it_started(started: Callable[[], None]) -> None:
    started()
    await anyio.sleep_forever()


async def ignores_sigterm(started: Callable[[], None]) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    started()
    while True:
        signal.pause()
