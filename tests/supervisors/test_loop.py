"""The loop seam behaves alike on asyncio and trio."""

from __future__ import annotations

import math
from contextvars import ContextVar

import anyio
import pytest

from actorflow_supervisors.loop import Home, Waiter, current_seam

pytestmark = pytest.mark.anyio


async def test_a_spawned_task_first_runs_after_the_next_await() -> None:
    seam = current_seam()
    log: list[str] = []
    ended = seam.waiter()

    async def child() -> None:
        log.append("child")

    async with seam.open_home() as home:
        home.spawn(child, on_done=ended.wake)
        log.append("host")
        await ended.wait()

    assert log == ["host", "child"]


async def test_anyio_timeouts_and_task_groups_work_inside_a_spawned_task() -> None:
    seam = current_seam()
    log: list[str] = []
    ended = seam.waiter()

    async def child() -> None:
        with anyio.move_on_after(0):
            await anyio.sleep_forever()
        log.append("timed out")
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.lowlevel.checkpoint)
        log.append(await anyio.to_thread.run_sync(lambda: "thread"))

    async with seam.open_home() as home:
        home.spawn(child, on_done=ended.wake)
        await ended.wait()

    assert log == ["timed out", "thread"]


async def test_leaving_a_home_cancels_and_awaits_what_is_left() -> None:
    seam = current_seam()
    log: list[str] = []

    async def child() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            log.append("cleaned up")

    async with seam.open_home() as home:
        home.spawn(child)
        await anyio.lowlevel.checkpoint()

    assert log == ["cleaned up"]
    assert len(home) == 0


async def test_a_task_cancelled_before_its_first_step_ends() -> None:
    seam = current_seam()
    ended = seam.waiter()

    async with seam.open_home() as home:
        spawned = home.spawn(anyio.sleep_forever, on_done=ended.wake)
        home.cancel(spawned)
        await ended.wait()

    assert spawned.done()


async def test_cancelling_the_host_reaches_the_tasks_only_when_the_home_is_left() -> None:
    seam = current_seam()
    log: list[str] = []

    async def child() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            log.append("child")

    with anyio.CancelScope() as scope:
        async with seam.open_home() as home:
            home.spawn(child)
            try:
                scope.cancel()
                await anyio.sleep_forever()
            finally:
                log.append("host")

    assert log == ["host", "child"]


async def test_a_spawned_task_that_raises_is_told_when_the_home_is_left() -> None:
    seam = current_seam()
    ended = seam.waiter()

    async def faulty() -> None:
        raise ValueError("bug")

    home = Home(seam)
    home.spawn(faulty, on_done=ended.wake)
    await ended.wait()

    with pytest.raises(RuntimeError, match="must handle its own errors") as caught:
        await home.close()

    assert isinstance(caught.value.__cause__, ValueError)


async def test_a_task_that_ignores_cancellation_is_abandoned_after_the_grace(caplog: pytest.LogCaptureFixture) -> None:
    seam = current_seam()
    release = anyio.Event()
    ended = seam.waiter()

    async def naughty() -> None:
        with anyio.CancelScope(shield=True):
            await release.wait()

    home = Home(seam)
    home.spawn(naughty)
    await anyio.lowlevel.checkpoint()
    await home.close(grace_s=0)
    release.set()

    assert len(home) == 0
    assert "abandoned" in caplog.text
    async with seam.open_home() as other:
        other.spawn(anyio.lowlevel.checkpoint, on_done=ended.wake)
        await ended.wait()


async def test_a_wake_before_the_wait_is_remembered_once() -> None:
    waiter: Waiter = current_seam().waiter()

    waiter.wake()
    waiter.wake()
    await waiter.wait()

    with anyio.move_on_after(0) as scope:
        await waiter.wait()
    assert scope.cancelled_caught


async def test_a_wake_after_a_cancelled_wait_is_kept_for_the_next_one() -> None:
    waiter: Waiter = current_seam().waiter()
    with anyio.move_on_after(0):
        await waiter.wait()

    waiter.wake()

    await waiter.wait()


async def test_a_slot_hands_its_value_to_the_waiting_task() -> None:
    seam = current_seam()
    slot = seam.slot()
    got: list[object] = []
    ended = seam.waiter()

    async def child() -> None:
        got.append(await slot)

    async with seam.open_home() as home:
        home.spawn(child, on_done=ended.wake)
        await anyio.lowlevel.checkpoint()
        slot.set_result(7)
        await ended.wait()

    assert got == [7]
    assert slot.done()


async def test_a_resumed_task_goes_on_with_the_value_as_itself_and_in_its_own_context() -> None:
    seam = current_seam()
    slots = [seam.slot(), seam.slot()]
    here: ContextVar[str] = ContextVar("here")
    went_on: list[object] = []
    ended = seam.waiter()

    async def child() -> None:
        me = seam.current_task()
        here.set("child")
        for slot in slots:
            value = await slot
            went_on.append((value, here.get(None), seam.current_task() is me))

    async with seam.open_home() as home:
        home.spawn(child, on_done=ended.wake)
        await anyio.lowlevel.checkpoint()
        seam.resume(slots[0], 1)
        went_on.append("the task that resumed it has not waited yet")
        await anyio.wait_all_tasks_blocked()
        seam.call_at(seam.now_s(), seam.resume, slots[1], 2)
        await ended.wait()

    assert went_on == ["the task that resumed it has not waited yet", (1, "child", True), (2, "child", True)]


async def test_a_slot_in_which_nobody_waits_yet_is_resumed_with_its_value() -> None:
    seam = current_seam()
    slot, fired = seam.slot(), seam.waiter()

    seam.call_at(seam.now_s(), seam.resume, slot, 3)
    seam.call_at(seam.now_s(), fired.wake)
    await fired.wait()

    assert slot.done()
    assert await slot == 3


async def test_a_slot_whose_task_was_cancelled_counts_as_done() -> None:
    slot = current_seam().slot()

    with anyio.move_on_after(0):
        await slot

    assert slot.done()


async def test_an_interrupt_ends_its_region_and_nothing_else() -> None:
    seam = current_seam()
    log: list[str] = []
    parked, ended = seam.waiter(), seam.waiter()
    interrupts = [seam.interrupt(), seam.interrupt()]

    async def child() -> None:
        for interrupt in interrupts:
            with interrupt:
                parked.wake()
                await anyio.sleep_forever()
            log.append("on")
        await anyio.lowlevel.checkpoint()
        log.append("end")

    async with seam.open_home() as home:
        home.spawn(child, on_done=ended.wake)
        for interrupt in interrupts:
            await parked.wait()
            interrupt.cancel()
        await ended.wait()

    assert log == ["on", "on", "end"]


async def test_an_interrupt_called_before_its_region_is_entered_ends_it_at_the_first_await() -> None:
    interrupt = current_seam().interrupt()
    interrupt.cancel()
    log: list[str] = []

    with interrupt:
        log.append("in")
        await anyio.lowlevel.checkpoint()
        log.append("never")

    await anyio.lowlevel.checkpoint()
    assert log == ["in"]
    assert interrupt.cancel_called


async def test_an_interrupt_does_not_swallow_a_cancel_of_the_whole_task() -> None:
    seam = current_seam()
    log: list[str] = []
    interrupt = seam.interrupt()
    ended = seam.waiter()

    async def child() -> None:
        with interrupt:
            await anyio.sleep_forever()
        await anyio.lowlevel.checkpoint()
        log.append("never")

    async with seam.open_home() as home:
        spawned = home.spawn(child, on_done=ended.wake)
        await anyio.lowlevel.checkpoint()
        interrupt.cancel()
        home.cancel(spawned)
        await ended.wait()

    assert log == []


async def test_a_shield_inside_a_task_holds_off_its_cancellation_until_it_is_left() -> None:
    seam = current_seam()
    log: list[str] = []
    entered, release = anyio.Event(), anyio.Event()
    ended = seam.waiter()

    async def child() -> None:
        try:
            with anyio.CancelScope(shield=True):
                entered.set()
                await release.wait()
                log.append("cleaned up")
            await anyio.sleep_forever()
        finally:
            log.append("ended")

    async with seam.open_home() as home:
        spawned = home.spawn(child, on_done=ended.wake)
        await entered.wait()
        home.cancel(spawned)
        await anyio.wait_all_tasks_blocked()
        assert log == []
        release.set()
        await ended.wait()

    assert log == ["cleaned up", "ended"]


async def test_a_shield_inside_a_region_holds_off_its_interrupt_and_one_around_it_does_not() -> None:
    seam = current_seam()
    log: list[str] = []
    entered, release = anyio.Event(), anyio.Event()
    interrupt = seam.interrupt()
    ended = seam.waiter()

    async def child() -> None:
        with anyio.CancelScope(shield=True):
            with interrupt:
                with anyio.CancelScope(shield=True):
                    entered.set()
                    await release.wait()
                    log.append("cleaned up")
                await anyio.sleep_forever()
            log.append("left")

    async with seam.open_home() as home:
        home.spawn(child, on_done=ended.wake)
        await entered.wait()
        interrupt.cancel()
        await anyio.wait_all_tasks_blocked()
        assert log == []
        release.set()
        await ended.wait()

    assert log == ["cleaned up", "left"]


async def test_a_timer_calls_once_its_time_has_come_and_a_cancelled_one_never() -> None:
    seam = current_seam()
    fired = seam.waiter()
    log: list[str] = []

    cancelled = seam.call_at(seam.now_s(), log.append, "cancelled")
    cancelled.cancel()
    seam.call_at(seam.now_s(), fired.wake)
    await fired.wait()

    assert log == []


async def test_the_effective_deadline_is_that_of_the_surrounding_scopes() -> None:
    seam = current_seam()

    assert seam.effective_deadline_s() == math.inf
    with anyio.move_on_after(3600), anyio.move_on_after(7200):
        assert seam.effective_deadline_s() == anyio.current_effective_deadline() < math.inf
        with anyio.CancelScope(shield=True):
            assert seam.effective_deadline_s() == anyio.current_effective_deadline() == math.inf
        with anyio.CancelScope(shield=True, deadline=anyio.current_time() + 1800):
            assert seam.effective_deadline_s() == anyio.current_effective_deadline() < math.inf
        with anyio.CancelScope() as scope:
            scope.cancel()
            assert seam.effective_deadline_s() == anyio.current_effective_deadline() == -math.inf


def test_without_a_loop_there_is_no_seam() -> None:
    with pytest.raises(RuntimeError):
        current_seam()
