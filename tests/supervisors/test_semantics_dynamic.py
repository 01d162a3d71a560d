"""What docs/semantics.md says of dynamic supervisors and is not shown elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import anyio
import pytest

from actorflow.testing.clock import Backend, virtual_backend
from actorflow_supervisors.backoff import Backoff
from actorflow_supervisors.child_spec import ChildSpec
from actorflow_supervisors.dynamic import DynamicSupervisor
from actorflow_supervisors.tree import ChildState

pytestmark = pytest.mark.anyio

AN_HOUR = Backoff(base_s=3600.0, cap_s=3600.0, jitter=0.0, immediate_first=False)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Backend:
    return virtual_backend(request.param)


def pending() -> list[str]:
    """What the loop would still do by itself: timers on asyncio, tasks on trio, where a timer is one."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return sorted(str(task.name) for task in anyio.get_running_tasks())
    handles: Sequence[asyncio.TimerHandle] = vars(loop)["_scheduled"]
    return sorted(repr(handle) for handle in handles if not handle.cancelled())


async def test_a_child_stopped_during_its_backoff_leaves_no_timer_behind() -> None:
    async def crashes() -> None:
        raise OSError("connection refused")

    before = pending()
    async with DynamicSupervisor(backoff=AN_HOUR) as supervisor:
        child = supervisor.start_child_nowait(ChildSpec(id="flapping", run=crashes))
        await anyio.wait_all_tasks_blocked()
        assert child.state is ChildState.backoff
    await anyio.wait_all_tasks_blocked()

    assert pending() == before
