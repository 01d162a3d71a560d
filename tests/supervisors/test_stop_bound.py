"""One bound for the stop of a whole tree, and a second request that waits no longer."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from functools import partial

import anyio
import pytest

from actorflow.actors.actor import Actor
from actorflow.actors.system import ActorSystem
from actorflow.testing.clock import Backend, virtual_backend
from actorflow_supervisors.child_spec import ChildSpec
from actorflow_supervisors.dynamic import DynamicSupervisor
from actorflow_supervisors.exit_reason import ExitReason
from actorflow_supervisors.stop_bound import StopBound
from actorflow_supervisors.supervisor import Supervisor


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Backend:
    return virtual_backend(request.param)


@pytest.mark.parametrize(
    ("at_s", "grace_s", "left_s"),
    [
        (math.inf, 5.0, 5.0),
        (math.inf, None, None),
        (12.0, 5.0, 2.0),
        (12.0, 1.0, 1.0),
        (12.0, None, 2.0),
        (9.0, 5.0, 0.0),
    ],
)
def test_a_grace_shrinks_to_what_is_left(at_s: float, grace_s: float | None, left_s: float | None) -> None:
    bound = StopBound()
    bound.at_s = at_s

    assert bound.shrunk(grace_s, 10.0) == left_s


def test_a_bound_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="shutdown_s must be 0 or more"):
        Supervisor(shutdown_s=-1.0)


def slow(log: list[str], name: str, takes_s: float) -> Callable[[], Awaitable[None]]:
    """A child whose cleanup takes its time."""

    async def run() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(takes_s)
            log.append(name)

    return run


def spec(log: list[str], name: str, takes_s: float) -> ChildSpec:
    return ChildSpec(id=name, run=slow(log, name, takes_s), shutdown_s=10.0)


@pytest.mark.anyio
async def test_the_graces_of_a_tree_shrink_to_what_is_left_of_the_roots_bound() -> None:
    log: list[str] = []
    inner = Supervisor([spec(log, "b", 8.0), spec(log, "c", 3.0)], name="inner")
    async with Supervisor([spec(log, "a", 1.0), inner.as_child(), spec(log, "d", 4.0)], shutdown_s=10.0):
        began_s = anyio.current_time()

    took_s = anyio.current_time() - began_s
    await anyio.sleep(100)
    assert took_s == pytest.approx(10.0)
    assert log == ["d", "c", "a", "b"]


@pytest.mark.anyio
async def test_a_dynamic_supervisor_stops_within_its_bound() -> None:
    log: list[str] = []
    async with DynamicSupervisor(shutdown_s=2.0) as supervisor:
        await supervisor.start_child(spec(log, "quick", 1.0))
        await supervisor.start_child(spec(log, "slow", 5.0))
        began_s = anyio.current_time()

    assert anyio.current_time() - began_s == pytest.approx(2.0)
    assert log == ["quick"]


class Slow(Actor):
    """Takes its time to stop; so does each of its children, of which it has `depth` generations."""

    def __init__(self, log: list[str], depth: int, takes_s: float) -> None:
        self.log = log
        self.depth = depth
        self.takes_s = takes_s

    async def started(self) -> None:
        if self.depth:
            await self.context.spawn(partial(Slow, self.log, self.depth - 1, self.takes_s), shutdown_s=10.0)

    async def stopping(self, reason: ExitReason) -> None:
        await anyio.sleep(self.takes_s)
        self.log.append(f"depth {self.depth}")


@pytest.mark.anyio
async def test_all_generations_of_actors_stop_within_the_bound_of_the_system() -> None:
    log: list[str] = []
    async with ActorSystem(shutdown_s=10.0) as system:
        await system.spawn(partial(Slow, log, 3, 4.0), shutdown_s=10.0)
        began_s = anyio.current_time()

    assert anyio.current_time() - began_s == pytest.approx(10.0)
    assert log == ["depth 0", "depth 1"]


@pytest.mark.anyio
async def test_a_cancellation_while_the_system_stops_ends_the_wait_at_once() -> None:
    log: list[str] = []
    began_s = anyio.current_time()
    with anyio.CancelScope(deadline=began_s + 1.0) as scope:
        async with ActorSystem() as system:
            await system.spawn(partial(Slow, log, 3, 4.0), shutdown_s=10.0)

    assert anyio.current_time() - began_s == pytest.approx(1.0)
    assert scope.cancelled_caught
    assert log == []


@pytest.mark.anyio
async def test_a_cancellation_while_a_tree_stops_ends_the_wait_at_once() -> None:
    log: list[str] = []
    inner = Supervisor([spec(log, "b", 8.0), spec(log, "c", 3.0)], name="inner")
    began_s = anyio.current_time()
    with anyio.CancelScope(deadline=began_s + 1.0) as scope:
        async with Supervisor([spec(log, "a", 0.0), inner.as_child()]):
            pass

    took_s = anyio.current_time() - began_s
    await anyio.sleep(100)
    assert took_s == pytest.approx(1.0)
    assert scope.cancelled_caught
    assert sorted(log) == ["a", "b", "c"]


@pytest.mark.anyio
async def test_a_tree_that_is_killed_waits_for_no_child() -> None:
    log: list[str] = []
    async with Supervisor([spec(log, "a", 8.0), spec(log, "b", 8.0)]) as supervisor:
        began_s = anyio.current_time()
        supervisor.kill()
        await supervisor.wait()

        assert anyio.current_time() == began_s
        assert log == []
