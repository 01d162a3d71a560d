"""Shared by the actor tests."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


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
