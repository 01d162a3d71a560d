"""A loop of our own: where a run starts one on asyncio it is uvloop, if that is installed and not refused."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Literal, TypeVar

import anyio

from actorflow_supervisors.loop import current_seam

T = TypeVar("T")
Backend = Literal["asyncio", "trio"]
LoopKind = Literal["asyncio", "uvloop", "trio"]

UVLOOP_VARIABLE = "ACTORFLOW_UVLOOP"
"""Of the environment: one of `REFUSALS` keeps asyncio's own loop; anything else, or nothing, takes uvloop if it can."""
PYTHONS_OWN = frozenset({700, 2000})
"""New objects after which Python itself looks for cycles. Source: gc.get_threshold() of 3.11 to 3.13."""
COLLECT_AFTER = 20_000
REFUSALS = frozenset({"0", "no", "off", "false"})


def chosen_loop(backend: Backend) -> LoopKind:
    """The loop that `run_in_own_loop` would start."""
    if backend == "asyncio" and os.environ.get(UVLOOP_VARIABLE, "").strip().lower() not in REFUSALS:
        return "uvloop" if _can_import_uvloop() else "asyncio"
    return backend


def running_loop() -> LoopKind:
    """The loop we are in. Raises RuntimeError where none runs."""
    if current_seam().name == "trio":
        return "trio"
    return "uvloop" if type(asyncio.get_running_loop()).__module__.startswith("uvloop") else "asyncio"


def run_in_own_loop(main: Callable[[], Awaitable[T]], *, backend: Backend) -> T:
    """Await `main()` in a new loop and return its result."""
    options: dict[str, Any] = {"use_uvloop": True} if chosen_loop(backend) == "uvloop" else {}
    with seldom_collected():
        return anyio.run(main, backend=backend, backend_options=options)


@contextmanager
def seldom_collected() -> Generator[None]:
    """Python looks for cycles seldomer: a run makes many objects that live for a moment, and nearly no cycles.

    What the program has set itself is left as it is, and so it is found again afterwards.
    """
    before = gc.get_threshold()
    if not gc.isenabled() or before[0] not in PYTHONS_OWN:
        yield
        return
    gc.set_threshold(COLLECT_AFTER, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _can_import_uvloop() -> bool:
    """An installation that does not load, for another Python say, counts as none: a run must not depend on an extra."""
    try:
        import_module("uvloop")
    except ImportError:
        return False
    return True
