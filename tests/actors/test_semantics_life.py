"""What docs/semantics.md says of an actor's life: restarts, monitors, names, poison, timers, budgets."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial

import anyio
import pytest

from actorflow.actors.actor import Actor
from actorflow.actors.dead_letters import DeadLetterReason
from actorflow.actors.errors import ActorCrashed, ActorNotRunning, NameTaken
from actorflow.actors.handler import handler
from actorflow.actors.monitor import Down, Monitor
from actorflow.actors.ref import ActorRef
from actorflow.actors.system import ActorSystem
from actorflow.testing.clock import Backend, virtual_backend
from actorflow_supervisors.backoff import Backoff
from actorflow_supervisors.exit_reason import (
    INTENSITY,
    Crashed,
    ExitReason,
    InitFailed,
    NoProc,
    Normal,
    Shutdown,
    describe,
)
from actorflow_supervisors.intensity import RestartIntensity

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Backend:
    return virtual_backend(request.param)


@dataclass
class Hold:
    """Keeps an actor at one message until the test lets it go."""

    entered: anyio.Event = field(default_factory=anyio.Event)
    release: anyio.Event = field(default_factory=anyio.Event)

    async def wait(self) -> None:
        self.entered.set()
        await self.release.wait()


class Victim(Actor):
    def __init__(self, log: list[str] | None = None) -> None:
        self.log = [] if log is None else log

    @handler
    async def incarnation(self) -> int:
        return self.context.incarnation

    @handler
    async def crash(self) -> None:
        raise ValueError("boom")

    @handler
    async def leave(self) -> None:
        self.context.stop()

    @handler
    async def note(self, word: str) -> None:
        self.log.append(word)

    @handler
    async def hold(self, hold: Hold) -> None:
        await hold.wait()


class Watcher(Actor):
    def __init__(self, log: list[object]) -> None:
        self.log = log

    async def down(self, down: Down) -> None:
        self.log.append(down)

    @handler
    async def watch(self, ref: ActorRef[Victim]) -> Monitor:
        return self.context.monitor(ref)

    @handler
    async def watch_and_cancel(self, ref: ActorRef[Victim], hold: Hold) -> None:
        monitor = self.context.monitor(ref)
        await hold.wait()
        monitor.cancel()

    @handler
    async def note(self, word: str) -> None:
        self.log.append(word)


async def test_10_an_incarnation_begins_after_the_hook_of_the_last_one_and_old_refs_reach_it() -> None:
    hold = Hold()
    log: list[str] = []

    class Slow(Victim):
        async def started(self) -> None:
            log.append(f"started {self.context.incarnation}")

        async def stopping(self, reason: ExitReason) -> None:
            if self.context.incarnation == 1:
                await hold.wait()
            log.append(f"stopped {self.context.incarnation}")

    async with ActorSystem() as system:
        ref = await system.spawn(Slow, shutdown_s=None)
        await ref.tell(Slow.crash)
        await hold.entered.wait()
        await anyio.wait_all_tasks_blocked()
        assert log == ["started 1"]
        hold.release.set()
        assert await ref.ask(Slow.incarnation) == 2
        await system.stop(ref)

        assert log == ["started 1", "stopped 1", "started 2", "stopped 2"]
        assert not ref.running


async def test_14_a_monitor_gives_one_down_however_often_its_actor_crashes() -> None:
    log: list[object] = []
    async with ActorSystem() as system:
        victim = await system.spawn(Victim)
        watcher = await system.spawn(partial(Watcher, log))
        await watcher.ask(Watcher.watch, victim)
        for _ in range(2):
            await victim.tell(Victim.crash)
        assert await victim.ask(Victim.incarnation) == 3
        await watcher.ask(Watcher.note, "end")

    (down, end) = log
    assert isinstance(down, Down)
    assert (down.ref, down.incarnation, end) == (victim, 1, "end")
    assert isinstance(down.reason, Crashed)


async def test_14_a_monitor_on_a_dead_actor_gives_noproc_at_once() -> None:
    log: list[object] = []

    def never() -> Victim:
        raise ValueError("never came up")

    async with ActorSystem() as system:
        watcher = await system.spawn(partial(Watcher, log))
        dead = await system.spawn(Victim)
        await system.stop(dead)
        never_was = system.spawn_nowait(never)
        assert isinstance((await system.down(never_was)).reason, InitFailed)
        for ref in (dead, never_was):
            await watcher.ask(Watcher.watch, ref)
        await watcher.ask(Watcher.note, "end")

    assert [down.reason for down in log if isinstance(down, Down)] == [NoProc(), NoProc()]


async def test_14_after_a_monitor_is_cancelled_there_is_no_down_not_even_one_that_is_queued() -> None:
    hold = Hold()
    log: list[object] = []
    async with ActorSystem() as system:
        victim = await system.spawn(Victim, restart="temporary")
        watcher = await system.spawn(partial(Watcher, log))
        await watcher.tell(Watcher.watch_and_cancel, victim, hold)
        await hold.entered.wait()
        await system.stop(victim)
        assert system.tree()[0].queued_messages == 1
        hold.release.set()
        await watcher.ask(Watcher.note, "end")

    assert log == ["end"]


async def test_a_down_comes_after_every_message_that_its_actor_had_sent() -> None:
    log: list[object] = []

    class LastWords(Victim):
        @handler
        async def speak(self, watcher: ActorRef[Watcher]) -> None:
            for word in "abc":
                await watcher.tell(Watcher.note, word)
            raise ValueError("boom")

    async with ActorSystem() as system:
        victim = await system.spawn(LastWords, restart="temporary")
        watcher = await system.spawn(partial(Watcher, log))
        await watcher.ask(Watcher.watch, victim)
        await victim.tell(LastWords.speak, watcher)
        await system.down(victim)
        await watcher.ask(Watcher.note, "end")

    assert [word for word in log if isinstance(word, str)] == ["a", "b", "c", "end"]
    assert isinstance(log[3], Down)


async def test_a_program_that_is_no_actor_waits_for_a_down_too() -> None:
    async with ActorSystem() as system:
        ref = await system.spawn(Victim, restart="temporary")
        await ref.tell(Victim.leave)
        down = await system.down(ref)
        again = await system.down(ref)

    assert (down.reason, again.reason) == (Normal(), NoProc())


@pytest.mark.parametrize("restart", ["permanent", "temporary"])
async def test_20_when_a_down_is_seen_the_name_is_free_or_leads_to_the_next_incarnation(restart: str) -> None:
    found: list[object] = []

    class Looker(Watcher):
        async def down(self, down: Down) -> None:
            ref = self.context.system.whereis("worker")
            found.append(None if ref is None else await ref.ask(Victim.incarnation))

    async with ActorSystem() as system:
        watcher = await system.spawn(partial(Looker, []))
        worker = await system.spawn(Victim, name="worker", restart=restart)  # type: ignore[arg-type]  # pyright: ignore
        await watcher.ask(Watcher.watch, worker)
        await worker.tell(Victim.crash)
        await anyio.wait_all_tasks_blocked()
        await watcher.ask(Watcher.note, "end")

    assert found == ([2] if restart == "permanent" else [None])


async def test_a_name_belongs_to_one_running_actor() -> None:
    async with ActorSystem() as system:
        first = await system.spawn(Victim, name="worker")
        with pytest.raises(NameTaken, match="'worker' is taken"):
            await system.spawn(Victim, name="worker")
        assert system.whereis("worker") == first
        await system.stop(first)
        second = await system.spawn(Victim, name="worker")

        assert system.whereis("worker") == second != first


class Fragile(Victim):
    @handler(redeliver=1)
    async def once_more(self) -> int:
        if self.context.incarnation == 1:
            raise ValueError("not yet")
        return self.context.incarnation

    @handler(redeliver=5)
    async def poison(self) -> None:
        raise ValueError(f"incarnation {self.context.incarnation}")


async def test_a_message_with_redeliver_comes_first_at_the_next_incarnation_and_its_asker_gets_the_reply() -> None:
    log: list[str] = []
    async with ActorSystem() as system, anyio.create_task_group() as group:
        ref = await system.spawn(partial(Fragile, log))
        hold = Hold()
        await ref.tell(Fragile.hold, hold)
        replies: list[int] = []

        async def ask() -> None:
            replies.append(await ref.ask(Fragile.once_more))

        group.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        await ref.tell(Fragile.note, "behind")
        hold.release.set()
        await ref.ask(Fragile.incarnation)
        await anyio.wait_all_tasks_blocked()

        assert replies == [2]
        assert log == ["behind"]
        assert system.dead_letters.count == 0


async def test_19_a_message_that_crashed_three_incarnations_is_set_aside_and_costs_no_restarts() -> None:
    log: list[str] = []
    async with ActorSystem(intensity=RestartIntensity(max_restarts=3, max_seconds=math.inf)) as system:
        ref = await system.spawn(partial(Fragile, log))
        for _ in range(3):
            with pytest.raises(ActorCrashed, match="ValueError: incarnation"):
                await ref.ask(Fragile.poison)
            await ref.tell(Fragile.note, "alive")
        await ref.ask(Fragile.incarnation)

        letters = system.dead_letters.recent
        assert log == ["alive"] * 3
        assert [letter.reason for letter in letters] == [DeadLetterReason.quarantined] * 3
        assert [str(error) for error in letters[0].errors] == [f"incarnation {n}" for n in (1, 2, 3)]
        assert all(error.__traceback__ is not None for error in letters[0].errors)


async def test_an_actor_without_a_parent_that_spent_its_budget_ends_alone_and_what_waited_for_it_is_told() -> None:
    outcomes: list[str] = []
    hold = Hold()

    async def ask(ref: ActorRef[Victim]) -> None:
        try:
            await ref.ask(Victim.incarnation)
        except ActorNotRunning as error:
            outcomes.append(str(error))

    async with ActorSystem(intensity=RestartIntensity(max_restarts=1)) as system, anyio.create_task_group() as group:
        ref = await system.spawn(Victim, name="worker")
        sibling = await system.spawn(Victim)
        await ref.tell(Victim.hold, hold)
        for _ in range(2):
            await ref.tell(Victim.crash)
        await ref.tell(Victim.note, "never")
        group.start_soon(ask, ref)
        await anyio.wait_all_tasks_blocked()
        hold.release.set()
        await anyio.wait_all_tasks_blocked()

        assert outcomes == ["actor 'worker' stopped before it handled the message"]
        assert system.dead_letters.counts == {DeadLetterReason.crashed: 2, DeadLetterReason.stopping: 2}
        assert system.whereis("worker") is None
        assert await sibling.ask(Victim.incarnation) == 1


class Boss(Actor):
    """Has a child `worker` and another one `idle`; the worker may fail twice."""

    def __init__(self, log: list[str], watches: bool = False) -> None:
        self.log = log
        self.watches = watches

    async def started(self) -> None:
        self.worker = await self.context.spawn(Victim, name="worker", intensity=RestartIntensity(max_restarts=1))
        await self.context.spawn(partial(Noting, self.log), name="idle")
        if self.watches:
            self.context.monitor(self.worker)

    async def stopping(self, reason: ExitReason) -> None:
        self.log.append(f"boss#{self.context.incarnation}: {describe(reason)}")

    async def down(self, down: Down) -> None:
        self.log.append(f"{down.ref.path}: {describe(down.reason)}")
        if down.reason == Shutdown(INTENSITY):
            self.log.append("the boss decides")
        else:
            self.context.monitor(self.worker)

    @handler
    async def child(self) -> ActorRef[Victim]:
        return self.worker


class Noting(Actor):
    def __init__(self, log: list[str]) -> None:
        self.log = log

    async def stopping(self, reason: ExitReason) -> None:
        self.log.append(f"idle: {describe(reason)}")


async def test_an_actor_whose_child_spent_its_budget_ends_for_intensity_and_its_own_policy_decides() -> None:
    log: list[str] = []
    async with ActorSystem() as system:
        boss = await system.spawn(partial(Boss, log), name="boss", restart="transient")
        worker = await boss.ask(Boss.child)
        await worker.tell(Victim.crash)
        await worker.tell(Victim.crash)
        down = await system.down(boss)
        again = await boss.ask(Boss.child)

        assert down.reason == Shutdown(INTENSITY)
        assert log == ["idle: shutdown (parent)", "boss#1: shutdown (intensity)"]
        assert await again.ask(Victim.incarnation) == 1
        assert not worker.running


async def test_the_budgets_of_actors_multiply_up_to_the_one_without_a_parent() -> None:
    log: list[str] = []
    async with ActorSystem() as system:
        budget = RestartIntensity(max_restarts=1)
        boss = await system.spawn(partial(Boss, log), name="boss", intensity=budget)
        reasons: list[ExitReason] = []
        for _ in range(2):
            worker = await boss.ask(Boss.child)
            await worker.tell(Victim.crash)
            await worker.tell(Victim.crash)
            reasons.append((await system.down(boss)).reason)

        assert reasons == [Shutdown(INTENSITY)] * 2
        assert not boss.running
        assert [line for line in log if line.startswith("boss")] == [
            "boss#1: shutdown (intensity)",
            "boss#2: shutdown (intensity)",
        ]


async def test_a_parent_that_monitors_its_child_is_told_that_it_gave_up_and_decides_itself() -> None:
    log: list[str] = []
    async with ActorSystem() as system:
        boss = await system.spawn(partial(Boss, log, watches=True), name="boss")
        worker = await boss.ask(Boss.child)
        await worker.tell(Victim.crash)
        await anyio.wait_all_tasks_blocked()
        await worker.tell(Victim.crash)
        await anyio.wait_all_tasks_blocked()

        assert log == [
            "boss/worker: crashed: ValueError: boom",
            "boss/worker: shutdown (intensity)",
            "the boss decides",
        ]
        assert boss.running


async def test_the_members_of_a_pool_give_up_one_by_one() -> None:
    async with ActorSystem(intensity=RestartIntensity(max_restarts=0)) as system:
        pool = await system.spawn_pool(Victim, size=2)
        first, second = pool.members
        await first.tell(Victim.crash)
        await system.down(first)
        await anyio.wait_all_tasks_blocked()

        assert not first.running
        assert await pool.ask(Victim.incarnation) == 1
        assert second.running


async def test_a_restart_that_fails_is_tried_again() -> None:
    made: list[int] = []

    def make() -> Victim:
        made.append(len(made))
        if len(made) in (2, 3):
            raise OSError("the database is away")
        return Victim()

    async with ActorSystem(backoff=Backoff(base_s=1.0)) as system:
        ref = await system.spawn(make)
        await ref.tell(Victim.crash)

        assert await ref.ask(Victim.incarnation) == 4


async def test_timers_tell_once_or_again_and_again_until_they_are_cancelled() -> None:
    log: list[str] = []

    class Clock(Victim):
        async def started(self) -> None:
            self.context.timers.after(5, Victim.note, "after")
            self.ticks = self.context.timers.every(2, Victim.note, "every")

        @handler
        async def silence(self) -> None:
            self.ticks.cancel()

    async with ActorSystem() as system:
        ref = await system.spawn(partial(Clock, log))
        await anyio.sleep(7)
        await ref.ask(Clock.silence)
        await anyio.sleep(100)

    assert log == ["every", "every", "after", "every"]


async def test_a_timer_dies_with_the_incarnation_that_set_it() -> None:
    log: list[str] = []

    class Clock(Victim):
        @handler
        async def later(self) -> None:
            self.context.timers.after(5, Victim.note, "tick")

    async with ActorSystem() as system:
        ref = await system.spawn(partial(Clock, log))
        await ref.ask(Clock.later)
        await ref.tell(Clock.crash)
        await anyio.sleep(100)
        assert await ref.ask(Clock.incarnation) == 2

    assert log == []


async def test_6_an_actor_that_ignores_its_stop_is_abandoned_after_its_grace() -> None:
    hold = Hold()
    outcomes: list[str] = []

    class Deaf(Victim):
        @handler
        async def ignore(self) -> None:
            with anyio.CancelScope(shield=True):
                await hold.wait()

    async def ask(ref: ActorRef[Deaf]) -> None:
        try:
            await ref.ask(Deaf.ignore)
        except ActorNotRunning as error:
            outcomes.append(str(error))

    async with ActorSystem() as system, anyio.create_task_group() as group:
        deaf = await system.spawn(Deaf, name="deaf", shutdown_s=3.0)
        group.start_soon(ask, deaf)
        await hold.entered.wait()
        asked_s = anyio.current_time()
        await system.stop(deaf)

        assert anyio.current_time() == pytest.approx(asked_s + 3.0)
        assert system.whereis("deaf") is None
        hold.release.set()

    assert outcomes == ["actor 'deaf' was stopped while it handled the message"]


async def test_a_stopping_hook_that_takes_too_long_is_cut_off_after_its_grace() -> None:
    class Dawdler(Victim):
        async def stopping(self, reason: ExitReason) -> None:
            await anyio.sleep_forever()

    async with ActorSystem() as system:
        ref = await system.spawn(Dawdler, shutdown_s=3.0)
        asked_s = anyio.current_time()
        await system.stop(ref, Shutdown("enough"))

        assert anyio.current_time() == pytest.approx(asked_s + 3.0)
