"""Shared by the tests of the test kit."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from actorflow.testing.clock import Backend, LoopName, virtual_backend


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Backend:
    """Both loops, on virtual time."""
    return virtual_backend(request.param)


@pytest.fixture(params=["asyncio", "trio"])
def loop(request: pytest.FixtureRequest) -> LoopName:
    """Both loops, for `run_virtual`."""
    name: LoopName = request.param
    return name


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Crashes are what most of these tests are about, so they are not logged."""
    loggers = [logging.getLogger(name) for name in ("actorflow.actors", "actorflow.supervisors")]
    before = [one.level for one in loggers]
    for one in loggers:
        one.setLevel(logging.CRITICAL)
    yield
    for one, level in zip(loggers, before, strict=True):
        one.setLevel(level)
