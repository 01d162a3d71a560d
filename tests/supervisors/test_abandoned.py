"""Tasks that were abandoned: not cancelled in a busy loop, and not forgotten either."""

from __future__ import annotations

import anyio
import pytest

from actorflow.testing.clock import Backend, virtual_backend
from actorflow_supervisors.child_spec import ChildSpec
from actorflow_supervisors.dynamic import DynamicSupervisor
from actorflow_supervisors.loop import Home, current_seam
from actorflow_supervisors.supervisor import Supervisor

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Backend:
    return virtual_backend(request.param)


async def test_an_abandoned_task_that_swallows_its_cancellation_is_not_cancelled_at_each_await() -> None:
    seam = current_seam()
    region = seam.interrupt()
    release = anyio.Event()
    swallowed: list[float] = []

    async def naughty() -> None:
        with region:
            while not release.is_set():
                try:
                    await release.wait()
                except seam.cancelled:
                    swallowed.append(anyio.current_time())

    home = Home(seam)
    spawned = home.spawn(naughty)
    await anyio.wait_all_tasks_blocked()
    region.abandon()
    home.abandon(spawned)
    began_s = anyio.current_time()
    await anyio.sleep(3600)

    assert 1 <= len(swallowed) < 70
    assert swallowed[0] == began_s
    release.set()
    await anyio.wait_all_tasks_blocked()
    assert spawned.done()


async def test_an_abandoned_task_is_cancelled_when_it_leaves_its_shield_at_last() -> None:
    seam = current_seam()
    home = Home(seam)
    region = seam.interrupt()

    async def naughty() -> None:
        with region:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(600)
            await anyio.sleep_forever()

    spawned = home.spawn(naughty)
    await anyio.wait_all_tasks_blocked()
    region.abandon()
    home.abandon(spawned)
    await anyio.sleep(599)
    assert not spawned.done()
    await anyio.sleep(62)

    assert spawned.done()


@pytest.mark.parametrize("kind", ["static", "dynamic"])
async def test_an_abandoned_child_that_swallows_its_stop_is_let_run_on(kind: str) -> None:
    release = anyio.Event()
    swallowed: list[float] = []

    async def naughty() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except anyio.get_cancelled_exc_class():
                swallowed.append(anyio.current_time())
                with anyio.CancelScope(shield=True):
                    await anyio.sleep(0.01)  # in virtual time: what keeps the grace from lasting for ever

    spec = ChildSpec(id="naughty", run=naughty, shutdown_s=1.0)
    async with Supervisor([spec]) if kind == "static" else DynamicSupervisor() as supervisor:
        if isinstance(supervisor, DynamicSupervisor):
            await supervisor.start_child(spec)
    in_its_grace = len(swallowed)
    await anyio.sleep(3600)
    afterwards = len(swallowed) - in_its_grace
    release.set()

    assert in_its_grace >= 1
    assert afterwards < 70
