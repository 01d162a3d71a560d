"""Actors in processes of their own keep every promise of an actor; and whatever ends the process is told apart."""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from actorflow import ActorRef, ActorSystem, Backoff, Killed, NoProc, RestartIntensity, Subprocess
from actorflow.actors.ref import cell_of
from actorflow.errors import (
    ActorCrashed,
    ActorNotRunning,
    AskCycle,
    MemoryQuotaExceeded,
    MessageRefused,
    OutcomeUnknown,
    ProcessLost,
    RemoteError,
    SpawnFailed,
    UnknownHandler,
)
from actorflow_supervisors.exit_reason import describe
from tests.actors.placement.crew import Clerk, Gate, OutOfStock, Stubborn, Unstartable, Watcher
from tests.faults.leaks import leak_audit as leak_audit
from tests.faults.processes import is_gone

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("leak_audit")]

AT_ONCE = Backoff(base_s=0.001)
MIB = 1 << 20


def system() -> ActorSystem:
    return ActorSystem(backoff=AT_ONCE, intensity=RestartIntensity(max_restarts=20))


async def test_it_runs_in_a_process_of_its_own_and_answers_like_any_other() -> None:
    async with system() as actors:
        clerk = await actors.spawn(partial(Clerk, start=5), name="clerk", placement=Subprocess())

        await clerk.tell(Clerk.add, 2)

        assert await clerk.ask(Clerk.add, by=3) == 10
        assert await clerk.ask(Clerk.pid) != os.getpid()
        assert clerk.path == "clerk"
        assert actors.tree()[0].handled_messages >= 2


async def test_values_come_back_as_they_were() -> None:
    values: list[Any] = [
        (1, "two", b"three"),
        {"when": datetime(2026, 1, 2, tzinfo=UTC), "how much": Decimal("1.50")},
        Path("a/b"),
        {1: {2, 3}},
        "x" * 300_000,
    ]
    async with system() as actors:
        clerk = await actors.spawn(Clerk, placement=Subprocess())
        for value in values:
            back = await clerk.ask(Clerk.echo, value)
            assert back == value
            assert type(back) is type(value)


async def test_messages_keep_their_order_and_a_full_window_waits_in_the_mailbox_here() -> None:
    async with system() as actors:
        gate = await actors.spawn(Gate)
        clerk = await actors.spawn(Clerk, placement=Subprocess(window=2))
        held = clerk.try_tell(Clerk.holds, gate)
        await actors_arrived(gate)
        for by in range(1, 51):
            await clerk.tell(Clerk.add, by)
        waiting = actors.tree()[1].queued_messages
        await gate.tell(Gate.lets_in)

        assert held
        assert waiting >= 48
        assert await clerk.ask(Clerk.get) == sum(range(51))


async def wait_for(asking: Awaitable[object]) -> None:
    """A task of its own for an ask."""
    await asking


async def actors_arrived(gate: ActorRef[Gate]) -> None:
    """Wait until somebody has come to `gate`."""
    actor = cell_of(gate).actor
    assert isinstance(actor, Gate)
    await actor.arrived.wait()


async def test_a_crash_is_told_with_the_remote_traceback_and_the_next_incarnation_is_new() -> None:
    async with system() as actors:
        clerk = await actors.spawn(Clerk, placement=Subprocess())
        first = await clerk.ask(Clerk.pid)
        await clerk.ask(Clerk.add, 4)

        with pytest.raises(ActorCrashed, match="the ledger is wrong") as crash:
            await clerk.ask(Clerk.raises)

        assert isinstance(crash.value.error, ValueError)
        assert isinstance(crash.value.error.__cause__, RemoteError)
        assert 'raise ValueError("the ledger is wrong")' in crash.value.remote_traceback
        assert await clerk.ask(Clerk.get) == 0
        assert await clerk.ask(Clerk.pid) != first
        assert is_gone(first)


async def test_a_declared_error_is_an_answer_of_its_own_type() -> None:
    async with system() as actors:
        clerk = await actors.spawn(Clerk, placement=Subprocess())
        await clerk.ask(Clerk.add, 1)

        with pytest.raises(OutOfStock) as answer:
            await clerk.ask(Clerk.sell)

        assert answer.value.left == 3
        assert await clerk.ask(Clerk.get) == 1


async def test_what_cannot_travel_or_does_not_fit_is_refused_at_the_sender() -> None:
    async with system() as actors:
        clerk: ActorRef[Any] = await actors.spawn(Clerk, placement=Subprocess())

        with pytest.raises(MessageRefused, match=r"another process: arguments\[0\]\[0\]: cannot encode object"):
            await clerk.tell(Clerk.echo, object())
        with pytest.raises(MessageRefused, match=r"^arguments do not fit add of 'clerk-1': 1 validation error"):
            await clerk.ask(Clerk.add, "seven")  # type: ignore[arg-type]  # what the test is about
        with pytest.raises(MessageRefused, match="not of its declared type"):
            await clerk.ask(Clerk.lies)
        with pytest.raises(UnknownHandler, match="news"):
            await clerk.ask(Watcher.news)
        assert await clerk.ask(Clerk.get) == 0


async def test_the_mailbox_survives_the_death_of_the_process_and_only_the_message_in_hand_is_lost() -> None:
    async with system() as actors:
        gate = await actors.spawn(Gate)
        clerk = await actors.spawn(Clerk, placement=Subprocess(window=4))
        pid = await clerk.ask(Clerk.pid)
        crashes: list[str] = []
        async with anyio.create_task_group() as tasks:

            async def in_hand() -> None:
                with pytest.raises(ActorCrashed) as crash:
                    await clerk.ask(Clerk.waits, gate)
                assert isinstance(crash.value.error, ProcessLost)
                crashes.append(crash.value.error.how)

            tasks.start_soon(in_hand)
            await actors_arrived(gate)
            for by in range(1, 11):
                await clerk.tell(Clerk.add, by)
            os.kill(pid, 9)

        assert crashes == ["signal 9 (SIGKILL)"]
        assert await clerk.ask(Clerk.get) == 55


async def test_8_the_death_of_the_process_is_told_with_its_signal_memory_and_last_words() -> None:
    async with system() as actors:
        clerk = await actors.spawn(Clerk, placement=Subprocess(), restart="temporary")

        with pytest.raises(ActorCrashed) as crash:
            await clerk.ask(Clerk.says_and_dies, "the roof is on fire")

        lost = crash.value.error
        assert isinstance(lost, ProcessLost)
        assert lost.how == "signal 9 (SIGKILL)"
        assert lost.last_lines.endswith("the roof is on fire")
        assert "MiB resident when last seen" in str(lost)
        with pytest.raises(ActorNotRunning):
            await clerk.ask(Clerk.get)


@pytest.mark.parametrize(("method", "how"), [(Clerk.segfaults, "signal 11 (SIGSEGV)"), (Clerk.exits, "exit code 3")])
async def test_every_end_of_a_process_has_its_name(method: Any, how: str) -> None:
    async with system() as actors:
        clerk = await actors.spawn(Clerk, placement=Subprocess(), restart="temporary")
        arguments = (3,) if how.startswith("exit") else ()
        reasons: list[object] = []
        async with anyio.create_task_group() as tasks:

            async def hear() -> None:
                reasons.append((await actors.down(clerk)).reason)

            tasks.start_soon(hear)
            await anyio.lowlevel.checkpoint()
            with pytest.raises(ActorCrashed, match=how.split(" ")[0]):
                await clerk.ask(method, *arguments)

        (reason,) = reasons
        assert isinstance(reason, Killed)
        assert reason.cause == "signal"
        assert how in reason.detail


async def test_18_an_actor_over_its_memory_quota_is_killed_and_the_reason_says_so() -> None:
    async with system() as actors:
        greedy = await actors.spawn(Clerk, placement=Subprocess(quota_bytes=128 * MIB), restart="temporary")
        innocent = await actors.spawn(Clerk, placement=Subprocess(quota_bytes=128 * MIB))
        reasons: list[object] = []
        errors: list[object] = []
        async with anyio.create_task_group() as tasks:

            async def hear() -> None:
                reasons.append((await actors.down(greedy)).reason)

            tasks.start_soon(hear)
            await anyio.lowlevel.checkpoint()
            with pytest.raises(ActorCrashed) as crash:
                await greedy.ask(Clerk.allocates, 100_000)
            errors.append(crash.value.error)

        (reason,) = reasons
        assert isinstance(reason, Killed)
        assert reason.cause == "memory"
        assert "refused more memory by the hard limit behind its quota of 128 MiB" in reason.detail
        assert [(type(error), getattr(error, "refused", None)) for error in errors] == [(MemoryQuotaExceeded, True)]
        assert await innocent.ask(Clerk.add) == 1


async def test_a_memory_error_without_a_quota_is_a_crash_like_any_other() -> None:
    async with system() as actors:
        clerk = await actors.spawn(Clerk, placement=Subprocess())

        with pytest.raises(ActorCrashed) as crash:
            await clerk.ask(Clerk.runs_out)

        assert isinstance(crash.value.error, MemoryError)


async def test_an_asker_hears_that_it_was_the_quota() -> None:
    async with system() as actors:
        greedy = await actors.spawn(Clerk, placement=Subprocess(quota_bytes=128 * MIB), restart="temporary")

        with pytest.raises(ActorCrashed, match=r"signal 9 \(SIGKILL\): it used 1.* of memory, its quota is 128 MiB"):
            await greedy.ask(Clerk.hoards, 140)


async def test_the_log_of_a_crash_shows_where_it_was_there(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "actorflow.actors"):
        async with system() as actors:
            clerk = await actors.spawn(Clerk, placement=Subprocess())
            with pytest.raises(ActorCrashed):
                await clerk.ask(Clerk.raises)
            await clerk.ask(Clerk.get)

    assert "in raises" in caplog.text
    assert 'raise ValueError("the ledger is wrong")' in caplog.text


async def test_one_that_does_not_start_says_why() -> None:
    async with system() as actors:
        with pytest.raises(SpawnFailed, match="the shop is closed"):
            await actors.spawn(Unstartable, placement=Subprocess())
        with pytest.raises(SpawnFailed, match="a lambda can be spawned in this process only"):
            await actors.spawn(lambda: Clerk(1), placement=Subprocess())


@pytest.mark.parametrize("wrong", [Subprocess, "subprocess", partial(Subprocess)])
async def test_a_placement_that_is_none_is_refused_in_words(wrong: Any) -> None:
    async with system() as actors:
        with pytest.raises(SpawnFailed, match=r"placement is a value such as Subprocess\(\), not"):
            await actors.spawn(Clerk, placement=wrong)


@pytest.mark.parametrize("wrong", [{"quota_bytes": "1GiB"}, {"quota_bytes": 0}, {"window": 0}, {"window": "4"}])
async def test_a_quota_or_a_window_that_is_none_is_refused_in_words(wrong: Any) -> None:
    with pytest.raises(ValueError, match="whole number of 1 or more"):
        Subprocess(**wrong)


async def test_one_whose_module_cannot_be_imported_there_says_so_once(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ACTORFLOW_TEST_OWNER", str(os.getpid()))
    from tests.actors.placement.only_here import Homebound

    async with system() as actors:
        with pytest.raises(SpawnFailed) as refusal:
            await actors.spawn(Homebound, name="homebound", placement=Subprocess())

    assert str(refusal.value) == "actor 'homebound' did not start: there is no licence for this process"
    assert isinstance(refusal.value.__cause__, ImportError)
    assert "licence" not in capfd.readouterr().err


async def test_an_exit_reason_is_one_line_and_tells_each_fact_once() -> None:
    async with system() as actors:
        clerk = await actors.spawn(Clerk, placement=Subprocess(), restart="temporary")
        reasons: list[str] = []
        async with anyio.create_task_group() as tasks:

            async def hear() -> None:
                reasons.append(describe((await actors.down(clerk)).reason))

            tasks.start_soon(hear)
            await anyio.lowlevel.checkpoint()
            with pytest.raises(ActorCrashed):
                await clerk.ask(Clerk.says_and_dies, "the roof is on fire")

    (words,) = reasons
    assert "\n" not in words
    assert words.count("signal 9") == 1
    assert "the roof is on fire" in words


async def test_one_that_swallows_cancellation_is_killed_after_its_grace() -> None:
    async with system() as actors:
        gate = await actors.spawn(Gate)
        stubborn = await actors.spawn(Stubborn, placement=Subprocess(), shutdown_s=0.1)
        await stubborn.tell(Stubborn.clings, gate)
        await actors_arrived(gate)
        reasons: list[object] = []
        async with anyio.create_task_group() as tasks:

            async def hear() -> None:
                reasons.append((await actors.down(stubborn)).reason)

            tasks.start_soon(hear)
            await anyio.lowlevel.checkpoint()
            await actors.stop(stubborn)

        (reason,) = reasons
        assert isinstance(reason, Killed)
        assert reason.cause == "timeout"


async def test_a_stop_ends_the_message_in_hand_and_what_waits_behind_it() -> None:
    async with system() as actors:
        gate = await actors.spawn(Gate)
        clerk = await actors.spawn(Clerk, placement=Subprocess())
        outcomes: list[str] = []

        async def ask(asking: Awaitable[object]) -> None:
            try:
                await asking
            except ActorNotRunning as error:
                outcomes.append(str(error))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, clerk.ask(Clerk.waits, gate))
            await actors_arrived(gate)
            tasks.start_soon(ask, clerk.ask(Clerk.add, 1))
            await anyio.lowlevel.checkpoint()
            await actors.stop(clerk)

        assert len(outcomes) == 2
        with pytest.raises(ActorNotRunning):
            await clerk.ask(Clerk.get)


async def test_a_cancelled_asker_ends_the_handler_and_the_actor_goes_on() -> None:
    async with system() as actors:
        gate = await actors.spawn(Gate)
        clerk = await actors.spawn(Clerk, placement=Subprocess())
        await clerk.ask(Clerk.add, 2)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait_for, clerk.ask(Clerk.waits, gate))
            await actors_arrived(gate)
            tasks.cancel_scope.cancel()

        assert await clerk.ask(Clerk.get) == 2


async def test_many_cancelled_askers_leave_the_window_free() -> None:
    async with system() as actors:
        gate = await actors.spawn(Gate)
        clerk = await actors.spawn(Clerk, placement=Subprocess(window=3))
        await clerk.tell(Clerk.holds, gate)
        await actors_arrived(gate)
        for _ in range(5):
            async with anyio.create_task_group() as tasks:
                for _ in range(3):
                    tasks.start_soon(wait_for, clerk.ask(Clerk.add, 1))
                await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()
        await gate.tell(Gate.lets_in)

        assert await clerk.ask(Clerk.get) == 0


async def test_a_deferred_reply_comes_from_there() -> None:
    async with system() as actors:
        clerk = await actors.spawn(Clerk, placement=Subprocess())
        paid: list[int] = []
        async with anyio.create_task_group() as tasks:

            async def ask() -> None:
                paid.append(await clerk.ask(Clerk.defers))

            tasks.start_soon(ask)
            await anyio.lowlevel.checkpoint()
            await clerk.ask(Clerk.get)
            await clerk.tell(Clerk.pays, 9)

        assert paid == [9]


async def test_a_handled_ask_without_its_reply_is_of_unknown_outcome() -> None:
    async with system() as actors:
        clerk = await actors.spawn(Clerk, placement=Subprocess())
        async with anyio.create_task_group() as tasks:

            async def ask() -> None:
                with pytest.raises(OutcomeUnknown, match="had handled defers when its process ended"):
                    await clerk.ask(Clerk.defers)

            tasks.start_soon(ask)
            await anyio.lowlevel.checkpoint()
            os.kill(await clerk.ask(Clerk.pid), 9)


async def test_references_work_both_ways_and_children_are_called_there() -> None:
    async with system() as actors:
        clerk = await actors.spawn(Clerk, name="clerk", placement=Subprocess())
        here = await actors.spawn(Clerk, name="here")
        second = await actors.spawn(Clerk, name="second", placement=Subprocess())

        apprentice = await clerk.ask(Clerk.hires)

        assert apprentice.path == "clerk/apprentice"
        assert await apprentice.ask(Clerk.add, 7) == 7
        await apprentice.tell(Clerk.add, 1)
        assert await apprentice.ask(Clerk.get) == 8
        assert await clerk.ask(Clerk.asks, here) == 5
        assert await clerk.ask(Clerk.asks, apprentice) == 13
        assert await second.ask(Clerk.asks, apprentice) == 18
        with pytest.raises(MessageRefused, match="'clerk/apprentice' lives in another process and is stopped there"):
            await actors.stop(apprentice)
        assert await clerk.ask(Clerk.itself) == clerk
        assert await clerk.ask(Clerk.echo, {"who": [apprentice]}) == {"who": [apprentice]}


async def test_a_cycle_of_asks_through_another_process_is_found() -> None:
    async with system() as actors:
        clerk = await actors.spawn(Clerk, name="clerk", placement=Subprocess())

        with pytest.raises(ActorCrashed) as crash:
            await clerk.ask(Clerk.asks, clerk)

        assert isinstance(crash.value.__cause__, AskCycle)


async def test_monitors_work_both_ways() -> None:
    async with system() as actors:
        here = await actors.spawn(Clerk, name="here")
        watcher = await actors.spawn(Watcher, placement=Subprocess())
        clerk = await actors.spawn(Clerk, name="clerk", placement=Subprocess())
        apprentice = await clerk.ask(Clerk.hires)
        local = await actors.spawn(Watcher)

        await watcher.ask(Watcher.watches, here)
        await local.ask(Watcher.watches, apprentice)
        await actors.stop(here)
        os.kill(await clerk.ask(Clerk.pid), 9)
        down = await actors.down(apprentice)

        assert await watcher.ask(Watcher.news) == ["Shutdown"]
        assert await local.ask(Watcher.news) == ["NodeDown"]
        assert type(down.reason).__name__ in ("NodeDown", "NoProc")
        assert isinstance((await actors.down(here)).reason, NoProc)


async def test_one_that_leaves_ends_normally_and_its_policy_decides() -> None:
    async with system() as actors:
        clerk = await actors.spawn(Clerk, placement=Subprocess(), restart="transient")

        await clerk.ask(Clerk.leaves)
        await actors.down(clerk)

        with pytest.raises(ActorNotRunning):
            await clerk.ask(Clerk.get)


async def test_a_message_is_redelivered_over_the_death_of_the_process_where_its_handler_says_so(
    tmp_path: Path,
) -> None:
    async with system() as actors:
        clerk = await actors.spawn(partial(Clerk, start=3), placement=Subprocess())

        assert await clerk.ask(Clerk.dies_once, str(tmp_path / "died")) == 3


async def test_what_it_started_ends_with_it() -> None:
    async with system() as actors:
        clerk = await actors.spawn(Clerk, placement=Subprocess(), restart="temporary")
        started = await clerk.ask(Clerk.starts_process)

        with pytest.raises(ActorCrashed):
            await clerk.ask(Clerk.exits, 0)
        await actors.down(clerk)

        assert is_gone(started)


async def test_what_the_window_does_not_take_fills_the_mailbox_here_and_no_more() -> None:
    async with system() as actors:
        gate = await actors.spawn(Gate)
        clerk = await actors.spawn(Clerk, placement=Subprocess(window=1))
        await clerk.tell(Clerk.holds, gate)
        await actors_arrived(gate)
        sent = 0
        while clerk.try_tell(Clerk.add, 1):
            sent += 1
        await gate.tell(Gate.lets_in)

        assert 1000 <= sent <= 1001
        assert await clerk.ask(Clerk.get) == sent


async def scenario(actors: ActorSystem, placement: Subprocess | None) -> list[object]:
    """What an asker sees of one life, step by step."""
    clerk = await actors.spawn(partial(Clerk, start=1), name="clerk", placement=placement)
    seen: list[object] = []

    async def step(asking: Awaitable[object]) -> None:
        try:
            seen.append(await asking)
        except (ActorCrashed, OutOfStock, MessageRefused, ActorNotRunning) as error:
            seen.append((type(error).__name__, str(error).splitlines()[0]))

    await step(clerk.ask(Clerk.add, 2))
    await clerk.tell(Clerk.add, 3)
    await step(clerk.ask(Clerk.get))
    await step(clerk.ask(Clerk.sell))
    await step(clerk.ask(Clerk.raises))
    await step(clerk.ask(Clerk.get))
    await step(clerk.ask(Clerk.asks, clerk))
    await step(clerk.ask(Clerk.add, by=4))
    await actors.stop(clerk)
    await step(clerk.ask(Clerk.get))
    return seen


async def test_22_one_scenario_has_the_same_outcomes_in_this_process_and_in_another() -> None:
    async with system() as actors:
        here = await scenario(actors, None)
    async with system() as actors:
        there = await scenario(actors, Subprocess())

    assert there == here
    assert len(here) == 8
