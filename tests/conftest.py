"""Every async test runs on asyncio and on trio, some on uvloop too; a test that hangs is ended by the timeout.

Runs that a test starts are on asyncio's own loop, as they are without the extra; `ACTORFLOW_UVLOOP=1 make test` has
them all on uvloop.
"""

from __future__ import annotations

import os
from importlib.util import find_spec

import pytest
from hypothesis import HealthCheck, settings

LOOPS = ["asyncio", "trio", *(["asyncio+uvloop"] if find_spec("uvloop") else [])]
ALSO_ON_UVLOOP = {
    "tests/actors/test_actor.py",
    "tests/actors/test_ask_chain.py",
    "tests/actors/test_links.py",
    "tests/actors/test_mailbox.py",
    "tests/actors/test_monitor.py",
    "tests/actors/test_restart.py",
    "tests/actors/test_router.py",
    "tests/actors/test_semantics_asks.py",
    "tests/supervisors/test_dynamic.py",
    "tests/supervisors/test_loop.py",
}
"""What stands on the loop seam and on real time; uvloop offers no clock of ours."""

os.environ.setdefault("ACTORFLOW_UVLOOP", "0")

settings.register_profile("quick", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("quick")


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The third loop, for the modules that are to run on it."""
    file = metafunc.definition.nodeid.partition("::")[0]
    if file in ALSO_ON_UVLOOP and "anyio_backend" in metafunc.fixturenames:
        # A mark, which outdoes the fixture's own two; parametrizing here would be beside them.
        metafunc.definition.add_marker(pytest.mark.parametrize("anyio_backend", LOOPS, indirect=True))


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str | tuple[str, dict[str, bool]]:
    """The loop under test; mark a test with `pytest.mark.anyio` to run it once on each."""
    if request.param == "asyncio+uvloop":
        return "asyncio", {"use_uvloop": True}
    return str(request.param)


@pytest.fixture(scope="session")
def scale() -> int:
    """What the counts of slow tests are multiplied by (ACTORFLOW_TEST_SCALE, default 1)."""
    return int(os.environ.get("ACTORFLOW_TEST_SCALE", "1"))
