"""Timers tell an actor something later, and die with the incarnation that set them."""

from __future__ import annotations

import anyio
import pytest

from actorflow.actors.actor import Actor
from actorflow.actors.handler import handler
from actorflow.actors.ref import cell_of
from actorflow.actors.system import ActorSystem
from actorflow.actors.timers import Timer

pytestmark = pytest.mark.anyio


class Alarm(Actor):
    def __init__(self, rings: list[tuple[int, str]]) -> None:
        self.rings = rings
        self.timer: Timer | None = None

    @handler
    async def set_once(self, delay_s: float, word: str) -> None:
        self.timer = self.context.timers.after(delay_s, Alarm.ring, word)

    @handler
    async def set_every(self, period_s: float, word: str) -> None:
        self.timer = self.context.timers.every(period_s, Alarm.ring, word=word)

    @handler
    async def ring(self, word: str) -> None:
        self.rings.append((self.context.incarnation, word))
        if self.timer is not None and len(self.rings) >= 3:
            self.timer.cancel()

    @handler
    async def cancel(self) -> bool:
        assert self.timer is not None
        self.timer.cancel()
        return self.timer.active

    @handler
    async def crash(self) -> None:
        raise ValueError("boom")

    @handler
    async def sync(self) -> None: ...


async def until(rings: list[tuple[int, str]], count: int) -> None:
    with anyio.fail_after(30):
        while len(rings) < count:
            await anyio.lowlevel.checkpoint()


async def test_a_timer_tells_its_actor_once() -> None:
    rings: list[tuple[int, str]] = []

    async with ActorSystem() as system:
        alarm = await system.spawn(lambda: Alarm(rings))
        await alarm.ask(Alarm.set_once, 0.0, "now")
        await until(rings, 1)
        assert cell_of(alarm).held().timers == {}

    assert rings == [(1, "now")]


async def test_a_periodic_timer_tells_until_it_is_cancelled() -> None:
    rings: list[tuple[int, str]] = []

    async with ActorSystem() as system:
        alarm = await system.spawn(lambda: Alarm(rings))
        await alarm.ask(Alarm.set_every, 1e-4, "again")
        await until(rings, 3)
        await alarm.ask(Alarm.sync)
        assert cell_of(alarm).held().timers == {}

    assert rings == [(1, "again")] * 3


async def test_a_cancelled_timer_never_rings_even_if_its_tick_is_queued() -> None:
    rings: list[tuple[int, str]] = []

    class Busy(Alarm):
        @handler
        async def set_and_cancel(self) -> None:
            await self.set_once(0.0, "never")
            assert self.timer is not None
            while self.timer.active:
                await anyio.lowlevel.checkpoint()
            self.timer.cancel()

    async with ActorSystem() as system:
        busy = await system.spawn(lambda: Busy(rings))
        await busy.ask(Busy.set_and_cancel)
        await busy.ask(Alarm.sync)

    assert rings == []


async def test_a_tick_of_an_earlier_incarnation_is_void_even_if_it_is_queued() -> None:
    rings: list[tuple[int, str]] = []

    class Busy(Alarm):
        @handler
        async def set_and_crash(self) -> None:
            await self.set_once(0.0, "stale")
            assert self.timer is not None
            while self.timer.active:
                await anyio.lowlevel.checkpoint()
            raise ValueError("boom")

    async with ActorSystem() as system:
        busy = await system.spawn(lambda: Busy(rings))
        await busy.tell(Busy.set_and_crash)
        await busy.ask(Alarm.sync)

    assert rings == []


async def test_timers_that_have_not_rung_are_cancelled_with_their_incarnation() -> None:
    rings: list[tuple[int, str]] = []

    async with ActorSystem() as system:
        alarm = await system.spawn(lambda: Alarm(rings))
        await alarm.ask(Alarm.set_once, 3600.0, "late")
        (timer,) = cell_of(alarm).held().timers
        assert timer.active
        await alarm.tell(Alarm.crash)
        await alarm.ask(Alarm.sync)

        assert not timer.active


async def test_a_timer_cancelled_by_its_actor_is_no_longer_active() -> None:
    async with ActorSystem() as system:
        alarm = await system.spawn(lambda: Alarm([]))
        await alarm.ask(Alarm.set_once, 3600.0, "late")

        assert await alarm.ask(Alarm.cancel) is False


async def test_a_slow_actor_has_one_tick_of_a_timer_in_its_mailbox_at_most() -> None:
    release = anyio.Event()
    entered = anyio.Event()

    class Slow(Alarm):
        @handler
        async def hang(self) -> None:
            await self.set_every(1e-4, "tick")
            entered.set()
            await release.wait()

    async with ActorSystem() as system:
        fired = 0
        slow = await system.spawn(lambda: Slow([]))
        await slow.tell(Slow.hang)
        await entered.wait()
        (timer,) = cell_of(slow).held().timers
        original = timer._fire

        def count() -> None:
            nonlocal fired
            fired += 1
            original()

        for _ in range(3):
            count()

        assert fired == 3
        assert system.tree()[0].queued_messages == 1
        release.set()


async def test_a_period_has_to_be_more_than_nothing() -> None:
    class Bad(Alarm):
        async def started(self) -> None:
            with pytest.raises(ValueError, match="period_s must be more than 0, not 0"):
                self.context.timers.every(0, Alarm.sync)

    async with ActorSystem() as system:
        await system.spawn(lambda: Bad([]))
