"""The loops that a benchmark compares: asyncio's own, uvloop where it is installed, trio."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Literal, TypeVar

import anyio

T = TypeVar("T")
Backend = Literal["asyncio", "trio"]
LoopName = Literal["asyncio", "uvloop", "trio"]

LOOPS: tuple[LoopName, ...] = ("asyncio", "uvloop", "trio") if find_spec("uvloop") else ("asyncio", "trio")
BACKEND_OF: dict[LoopName, Backend] = {"asyncio": "asyncio", "uvloop": "asyncio", "trio": "trio"}


def run_on(loop: LoopName, main: Callable[[], Awaitable[T]]) -> T:
    """`anyio.run` on that loop."""
    options: dict[str, Any] = {"use_uvloop": True} if loop == "uvloop" else {}
    return anyio.run(main, backend=BACKEND_OF[loop], backend_options=options)


@contextmanager
def runs_on(loop: LoopName) -> Generator[Backend]:
    """Inside, `actorflow.run` with the backend given here is on that loop."""
    before = os.environ.get("ACTORFLOW_UVLOOP")
    os.environ["ACTORFLOW_UVLOOP"] = "1" if loop == "uvloop" else "0"
    try:
        yield BACKEND_OF[loop]
    finally:
        if before is None:
            del os.environ["ACTORFLOW_UVLOOP"]
        else:
            os.environ["ACTORFLOW_UVLOOP"] = before
