"""Seeded schedule: on trio, one seed is one order in which ready tasks run; a failure tells its seed.

| loop    | order of ready tasks                        | what a seed decides                       |
|---------|---------------------------------------------|-------------------------------------------|
| trio    | shuffled at each turn, by the seed          | the order, the backoffs and `kit.rng`     |
| asyncio | first in, first out; nobody can shuffle it  | the backoffs and `kit.rng`, not the order |
"""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Generator
from contextvars import ContextVar
from importlib import import_module
from typing import Any

SEED_VARIABLE = "ACTORFLOW_SEED"
"""Environment variable that sets the seed of each run that names none, to replay a failure."""

_telling: ContextVar[int | None] = ContextVar("actorflow_seed", default=None)
"""The seed of the run around us that will be told if it fails."""


def pick_seed(seed: int | None) -> int:
    """`seed`, else that of the run around us, else ACTORFLOW_SEED, else one drawn at random."""
    if seed is not None:
        return seed
    around = _telling.get()
    if around is not None:
        return around
    given = os.environ.get(SEED_VARIABLE)
    if given is None:
        return random.SystemRandom().getrandbits(32)
    try:
        return int(given)
    except ValueError as error:
        raise ValueError(f"{SEED_VARIABLE} must be a whole number, not {given!r}") from error


@contextlib.contextmanager
def seed_told_on_failure(seed: int, backend: str) -> Generator[None, None, None]:
    """Give an error that leaves the block a note with the seed and how to replay it; only the outermost block does."""
    if _telling.get() == seed:
        yield
        return
    token = _telling.set(seed)
    try:
        yield
    except BaseException as error:
        order = "the order of tasks" if backend == "trio" else "random numbers only: asyncio runs tasks in order"
        error.add_note(f"seed {seed} on {backend} ({order}); to replay: {SEED_VARIABLE}={seed}, or seed={seed}")
        raise
    finally:
        _telling.reset(token)


@contextlib.contextmanager
def seeded_schedule(seed: int) -> Generator[None, None, None]:
    """On trio: while the block runs, ready tasks run in an order that depends on `seed` and on nothing else.

    Source: the hook that trio keeps for Hypothesis; trio promises no public way. Raises RuntimeError without it.
    """
    run: Any = import_module("trio._core._run")
    switch = "_ALLOW_DETERMINISTIC_SCHEDULING"
    order: object = getattr(run, "_r", None)
    if not hasattr(run, switch) or not isinstance(order, random.Random):
        version = import_module("trio").__version__
        raise RuntimeError(f"trio {version} has no seeded schedule; it is known to work with trio 0.27 to 0.35")
    before = (getattr(run, switch), order.getstate())
    setattr(run, switch, True)
    order.seed(seed)
    try:
        yield
    finally:
        setattr(run, switch, before[0])
        order.setstate(before[1])
