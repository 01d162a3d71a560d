"""Tasks that were abandoned: not cancelled in a busy loop, and not forgotten either."""

from __future__ import annotations

import anyio
import pytest

from actorflow.testing.clock import Backend, virtual_backend
from actorflow_supervisors.loop import Home, current_seam

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Backend:
    return virtual_backend(request.param)


async def test_an_abandoned_task_that_swallows_its_cancellation_is_not_cancelled_at_each_await() -> None:
    seam = current_seam()
    release = anyio.Event()
    swallowed: list[float] = []

    async def naughty() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except seam.cancelled:
                swallowed.append(anyio.current_time())

    home = Home(seam)
    spawned = home.spawn(naughty)
    await anyio.wait_all_tasks_blocked()
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

    async def naughty() -> None:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(600)
        await anyio.sleep_forever()

    spawned = home.spawn(naughty)
    await anyio.wait_all_tasks_blocked()
    home.abandon(spawned)
    await anyio.sleep(599)
    assert not spawned.done()
    await anyio.sleep(62)

    assert spawned.done()
