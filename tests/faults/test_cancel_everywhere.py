"""Cancelled at each of its checkpoints, a tree five deep and a run leave nothing and clean up once (F31)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import anyio
import anyio.lowlevel
import pytest

import actorflow
from actorflow import RunControl, RunStatus, dag, task
from actorflow.runs.events import AttemptStarted, Record, RunCancelling, RunFinished
from actorflow.testing.clock import pending, run_virtual
from actorflow_supervisors import Backoff, ChildSpec, Supervisor
from tests.faults.leaks import leak_audit as leak_audit

pytestmark = pytest.mark.usefixtures("leak_audit")

Loop = Literal["asyncio", "trio"]
LOOPS: list[Loop] = ["asyncio", "trio"]
DEPTH = 5
LATER = 4
"""A cancellation comes at a checkpoint of the children, or up to so many turns of the loop later: in ours."""


@dataclass
class Seen:
    """What the bodies of a tree did. `at`: the checkpoint that calls `reached`, from 1; 0 for none."""

    at: int = 0
    points: int = 0
    began: list[str] = field(default_factory=list[str])
    ended: list[str] = field(default_factory=list[str])
    running: Counter[str] = field(default_factory=Counter[str])
    reached: Callable[[], object] = int

    async def point(self) -> None:
        self.points += 1
        if self.points == self.at:
            self.reached()
        await anyio.lowlevel.checkpoint()

    async def body(self, name: str, *, crashes: bool = False) -> None:
        """Checkpoints, a second, then a crash in the first life of one that crashes; one checkpoint to clean up."""
        life = f"{name}#{self.began.count(name) + 1}"
        self.began.append(name)
        self.running[name] += 1
        assert self.running[name] == 1, "beside its former life"
        try:
            await self.point()
            async with anyio.create_task_group() as group:
                group.start_soon(self.point)
                group.start_soon(anyio.sleep, 1)
            await self.point()
            if crashes and life.endswith("#1"):
                raise OSError("once")
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await self.point()
            self.running[name] -= 1
            self.ended.append(name)


def tree(seen: Seen, depth: int = DEPTH) -> Supervisor:
    """Supervisors within supervisors, each with a child before and one behind it; one of them crashes once."""
    before = ChildSpec(id=f"before-{depth}", run=partial(seen.body, f"before-{depth}", crashes=depth == 2))
    behind = ChildSpec(id=f"behind-{depth}", run=partial(seen.body, f"behind-{depth}"))
    inner = [tree(seen, depth - 1).as_child()] if depth > 1 else []
    backoff = Backoff(base_s=1.0, jitter=0.0, immediate_first=False)
    return Supervisor([before, *inner, behind], name=f"level-{depth}", strategy="rest_for_one", backoff=backoff)


async def cancelled(seen: Seen, later: int) -> None:
    """Enter the tree, stay five seconds, leave; unless its checkpoint cancels all that, so many turns later."""
    go = anyio.Event()
    seen.reached = go.set
    before = await pending()

    async def cancel() -> None:
        await go.wait()
        for _ in range(later):
            await anyio.lowlevel.checkpoint()
        scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(cancel)
        with anyio.CancelScope() as scope:
            async with tree(seen):
                await anyio.sleep(5)
        group.cancel_scope.cancel()
    began = list(seen.began)

    await anyio.sleep(1)  # for a shielded cleanup that a cancellation during the stop leaves to itself
    assert sorted(seen.ended) == sorted(seen.began), "each life cleaned up once"
    assert await pending() == before, "neither a task nor a timer is left"
    await anyio.sleep(3600)
    assert seen.began == began, "nothing starts afterwards"


@pytest.mark.parametrize("loop", LOOPS)
def test_a_tree_five_deep_that_is_cancelled_at_any_checkpoint_cleans_up_once_and_starts_nothing_more(
    loop: Loop, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("CRITICAL", logger="actorflow.supervisors")
    whole = Seen()
    run_virtual(cancelled, whole, 0, backend=loop, seed=1)
    assert len(whole.began) > 2 * DEPTH, "one of them was restarted"

    cut_short = 0
    for at in range(1, whole.points + 1):
        for later in range(LATER + 1):
            seen = Seen(at)
            run_virtual(cancelled, seen, later, backend=loop, seed=1)
            assert seen.points >= at
            cut_short += len(seen.began) < len(whole.began)

    assert cut_short > LATER * DEPTH


# -- a run ------------------------------------------------------------------------------------------------------------

lives: Counter[str] = Counter()


async def nest(depth: int) -> None:
    lives["began"] += 1
    try:
        await anyio.lowlevel.checkpoint()
        async with anyio.create_task_group() as group:
            if depth > 1:
                group.start_soon(nest, depth - 1)
            await anyio.lowlevel.checkpoint()
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.lowlevel.checkpoint()
        lives["ended"] += 1


@task
async def items() -> list[int]:
    await nest(DEPTH)
    return [1, 2, 3]


@task
async def deep(item: int) -> int:
    await nest(DEPTH)
    return item


@task
async def added(given: list[int]) -> int:
    await nest(DEPTH)
    return sum(given)


@dag
def nested() -> int:
    return added(deep.map(deep.map(items())))


class Canceller:
    """Cancels a run when its record of that number is told, from 1; 0 for never."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.control = RunControl()
        self.records: list[Record] = []

    def __call__(self, records: Sequence[Record]) -> None:
        for record in records:
            self.records.append(record)
            if len(self.records) == self.at:
                self.control.cancel("by the test")

    def run(self, store: Path, loop: Loop) -> RunStatus:
        lives.clear()
        result = actorflow.run(nested, store=store, on_records=self, control=self.control, backend=loop)
        return result.status


@pytest.mark.parametrize("loop", LOOPS)
def test_a_run_that_is_cancelled_at_any_event_cleans_up_once_and_starts_nothing_more(
    tmp_path: Path, loop: Loop
) -> None:
    whole = Canceller(0)
    assert whole.run(tmp_path, loop) is RunStatus.succeeded

    ends: Counter[RunStatus] = Counter()
    for at in range(1, len(whole.records)):
        run = Canceller(at)
        ends[run.run(tmp_path, loop)] += 1
        kinds = [type(record.event) for record in run.records]
        assert lives["began"] == lives["ended"]
        assert kinds[-1] is RunFinished
        if RunCancelling in kinds:
            assert AttemptStarted not in kinds[kinds.index(RunCancelling) :]

    assert ends[RunStatus.cancelled] > 0
    assert set(ends) <= {RunStatus.cancelled, RunStatus.succeeded}
