"""Every async test runs on asyncio and on trio; a test that hangs is ended by the timeout, never retried."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("quick", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("quick")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """The loop under test; mark a test with `pytest.mark.anyio` to run it once on each."""
    return str(request.param)


@pytest.fixture(scope="session")
def scale() -> int:
    """What the counts of slow tests are multiplied by (ACTORFLOW_TEST_SCALE, default 1)."""
    return int(os.environ.get("ACTORFLOW_TEST_SCALE", "1"))
