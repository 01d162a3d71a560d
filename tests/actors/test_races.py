"""Races: whatever asks, crashes and stops do to each other, every ask has exactly one outcome and nothing is left."""

from __future__ import annotations

import gc
import weakref
from collections import Counter
from random import Random

import anyio
import pytest

from actorflow.actors.actor import Actor
from actorflow.actors.cell import Cell
from actorflow.actors.errors import ActorCrashed, ActorNotRunning, ActorRestarting, AskError, MailboxFull
from actorflow.actors.handler import handler
from actorflow.actors.mailbox import Mailbox
from actorflow.actors.ref import ActorRef
from actorflow.actors.system import ActorSystem
from actorflow_supervisors.backoff import Backoff
from actorflow_supervisors.intensity import RestartIntensity

pytestmark = pytest.mark.anyio


class Echo(Actor):
    @handler
    async def echo(self, number: int) -> int:
        return number

    @handler
    async def echo_later(self, number: int) -> int:
        await anyio.lowlevel.checkpoint()
        return number

    @handler
    async def crash(self) -> int:
        raise ValueError("boom")

    @handler(redeliver=1)
    async def crash_twice(self) -> int:
        raise ValueError("boom")

    @handler
    async def leave(self) -> int:
        self.context.stop()
        return -1

    @handler
    async def never(self) -> int:
        await anyio.sleep_forever()
        return -1


async def race_asks_against_stops(asks: int) -> Counter[str]:
    """64 askers ask without a pause, while one actor after the other is stopped under them."""
    outcomes: Counter[str] = Counter()
    left = asks

    async with ActorSystem() as system:
        refs = [system.spawn_nowait(Echo, restart="temporary")]

        async def asker() -> None:
            nonlocal left
            while left > 0:
                left -= 1
                try:
                    outcomes["replied" if await refs[0].ask(Echo.echo, left) >= 0 else "wrong"] += 1
                except ActorNotRunning:
                    outcomes["not running"] += 1
                    await system.checkpoint()

        async def stopper() -> None:
            rng = Random(7)
            while left > 0:
                for _ in range(rng.randrange(4)):
                    await system.checkpoint()
                old, refs[0] = refs[0], system.spawn_nowait(Echo, restart="temporary")
                system.stop_nowait(old)
                await system.checkpoint()

        async with anyio.create_task_group() as group:
            for _ in range(64):
                group.start_soon(asker)
            group.start_soon(stopper)
    return outcomes


@pytest.mark.parametrize("asks", [200_000])
async def test_no_ask_that_races_a_stop_is_left_unanswered(asks: int) -> None:
    outcomes = await race_asks_against_stops(asks)

    assert outcomes.total() == asks
    assert outcomes["replied"] > 0
    assert outcomes["not running"] > 0
    assert outcomes["wrong"] == 0


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_none_of_a_million_asks_that_race_a_stop_is_left_unanswered(scale: int) -> None:
    outcomes = await race_asks_against_stops(1_000_000 * scale)

    assert outcomes.total() == 1_000_000 * scale
    assert outcomes["wrong"] == 0


EXPECTED = (ActorCrashed, ActorNotRunning, ActorRestarting, MailboxFull)
AT_ONCE = Backoff(base_s=1e-9, cap_s=1e-9)


async def run_schedule(seed: int) -> Counter[str]:
    """One random schedule of asks, crashes, stops, leaves and cancels among a few actors."""
    rng = Random(seed)
    outcomes: Counter[str] = Counter()
    budget = RestartIntensity(max_restarts=rng.choice([0, 1, 1_000]), max_seconds=3600.0)

    async with ActorSystem(intensity=budget, backoff=AT_ONCE, rng=Random(seed)) as system:

        def spawn() -> ActorRef[Echo]:
            mailbox = Mailbox(rng.choice([1, 2, 100]), rng.choice(["wait", "drop_newest", "drop_oldest", "fail"]))
            return system.spawn_nowait(
                Echo, restart=rng.choice(["permanent", "transient", "temporary"]), mailbox=mailbox
            )

        refs = [spawn() for _ in range(3)]

        async def one_ask(ref: ActorRef[Echo], kind: str, cancelled: bool, patient: bool) -> None:
            if not patient:
                ref = ref.options(on_restarting="fail")
            method = {"echo": Echo.echo, "later": Echo.echo_later}.get(kind)
            bare = {"crash": Echo.crash, "twice": Echo.crash_twice, "leave": Echo.leave, "never": Echo.never}.get(kind)
            with anyio.CancelScope() as scope:
                if cancelled:
                    system.seam.call_at(system.seam.now_s(), scope.cancel)
                try:
                    if method is not None:
                        assert await ref.ask(method, seed) == seed
                    else:
                        assert bare is not None
                        await ref.ask(bare)
                    outcomes["replied"] += 1
                except EXPECTED as error:
                    outcomes[type(error).__name__] += 1
            outcomes["cancelled"] += scope.cancelled_caught
            outcomes["ended"] += 1

        async with anyio.create_task_group() as group:
            for _ in range(rng.randrange(5, 30)):
                place = rng.randrange(len(refs))
                kind = rng.choice(["echo", "echo", "later", "later", "crash", "twice", "leave", "never"])
                cancelled = kind == "never" or rng.random() < 0.2
                group.start_soon(one_ask, refs[place], kind, cancelled, rng.random() < 0.8)
                outcomes["asked"] += 1
                if rng.random() < 0.2:
                    system.stop_nowait(refs[place])
                    refs[place] = spawn()
                if rng.random() < 0.5:
                    await system.checkpoint()
        for ref in refs:
            await system.stop(ref)
        await anyio.wait_all_tasks_blocked()
        assert system._home is not None
        outcomes["tasks left"] += len(system._home)
        outcomes["actors left"] += len(system.tree()) + len(system.cells)
        assert system.ask_timeouts is not None
        outcomes["timeouts left"] += len(system.ask_timeouts)
    return outcomes


def assert_one_outcome_each(seed: int, outcomes: Counter[str]) -> None:
    kinds = ("replied", "cancelled", *(error.__name__ for error in EXPECTED))
    assert outcomes["ended"] == outcomes["asked"], seed
    assert sum(outcomes[kind] for kind in kinds) == outcomes["asked"], seed
    assert (outcomes["tasks left"], outcomes["actors left"], outcomes["timeouts left"]) == (0, 0, 0), seed


async def test_1_every_ask_of_a_random_schedule_has_one_outcome_and_nothing_is_left() -> None:
    seen: Counter[str] = Counter()
    for seed in range(500):
        outcomes = await run_schedule(seed)
        assert_one_outcome_each(seed, outcomes)
        seen += outcomes

    assert all(seen[kind] > 0 for kind in ("replied", "cancelled", "ActorCrashed", "ActorNotRunning", "MailboxFull"))


@pytest.mark.slow
@pytest.mark.timeout(3600)
async def test_1_every_ask_of_ten_thousand_random_schedules_has_one_outcome(scale: int) -> None:
    for seed in range(10_000 * scale):
        assert_one_outcome_each(seed, await run_schedule(seed))


def test_every_error_of_an_ask_is_one_that_callers_can_catch_at_once() -> None:
    assert all(issubclass(error, AskError) for error in EXPECTED if error is not MailboxFull)


async def test_an_actor_that_has_ended_is_freed_at_once_and_leaves_nothing_to_the_collector() -> None:
    freed: list[int] = []

    class Brief(Actor):
        @handler
        async def run(self) -> None:
            weakref.finalize(self, freed.append, 1)
            self.context.stop()

    def cells() -> int:
        return sum(type(found) is Cell for found in gc.get_objects())

    async with ActorSystem() as system:
        gc.collect()
        gc.disable()
        try:
            before = cells()
            for _ in range(10):
                system.spawn_nowait(Brief, restart="temporary").try_tell(Brief.run)
            await anyio.wait_all_tasks_blocked()

            assert system.tree() == ()
            assert len(freed) == 10
            assert cells() == before
        finally:
            gc.enable()
