"""Monitors say exactly once that an incarnation has ended, and when it is really over."""

from __future__ import annotations

import anyio
import pytest

from actorflow.actors.actor import Actor
from actorflow.actors.errors import ActorCrashed, NameTaken
from actorflow.actors.handler import handler
from actorflow.actors.monitor import Down, Monitor
from actorflow.actors.ref import ActorRef
from actorflow.actors.system import ActorSystem
from actorflow_supervisors.exit_reason import Crashed, ExitReason, NoProc, Normal, Shutdown

pytestmark = pytest.mark.anyio


class Target(Actor):
    @handler
    async def crash(self) -> None:
        raise ValueError("boom")

    @handler
    async def leave(self) -> None:
        self.context.stop()

    @handler
    async def incarnation(self) -> int:
        return self.context.incarnation


class Watcher(Actor):
    def __init__(self, downs: list[Down]) -> None:
        self.downs = downs
        self.monitors: list[Monitor] = []

    @handler
    async def watch(self, ref: ActorRef[Target]) -> None:
        self.monitors.append(self.context.monitor(ref))

    @handler
    async def unwatch_after(self, ref: ActorRef[Target]) -> None:
        """Crash the target, and cancel the monitor when its news is already queued."""
        await ref.tell(Target.crash)
        await ref.ask(Target.incarnation)
        for monitor in self.monitors:
            monitor.cancel()

    @handler
    async def sync(self) -> int:
        return len(self.downs)

    async def down(self, down: Down) -> None:
        self.downs.append(down)


async def test_14_a_monitor_of_a_live_actor_gives_one_down_with_the_reason() -> None:
    downs: list[Down] = []

    async with ActorSystem() as system:
        watcher = await system.spawn(lambda: Watcher(downs))
        target = await system.spawn(Target)
        await watcher.ask(Watcher.watch, target)
        for _ in range(2):
            with pytest.raises(ActorCrashed):
                await target.ask(Target.crash)
        await target.ask(Target.incarnation)
        await watcher.ask(Watcher.sync)

    assert [(down.ref, type(down.reason), down.incarnation) for down in downs] == [(target, Crashed, 1)]


@pytest.mark.parametrize("ends", ["stopped", "left", "never came up"])
async def test_14_a_monitor_of_a_dead_actor_gives_one_down_with_noproc(ends: str) -> None:
    downs: list[Down] = []

    def never() -> Target:
        raise ValueError("no")

    async with ActorSystem() as system:
        watcher = await system.spawn(lambda: Watcher(downs))
        if ends == "never came up":
            target = system.spawn_nowait(never)
            await system.down(target)
        else:
            target = await system.spawn(Target, restart="temporary")
            await (system.stop(target) if ends == "stopped" else target.ask(Target.leave))
            await anyio.wait_all_tasks_blocked()
        await watcher.ask(Watcher.watch, target)
        await watcher.ask(Watcher.sync)

    assert [down.reason for down in downs] == [NoProc()]


async def test_14_after_a_monitor_is_cancelled_there_is_no_down_even_if_it_was_queued() -> None:
    downs: list[Down] = []

    async with ActorSystem() as system:
        watcher = await system.spawn(lambda: Watcher(downs))
        target = await system.spawn(Target)
        await watcher.ask(Watcher.watch, target)
        await watcher.ask(Watcher.unwatch_after, target)
        await watcher.ask(Watcher.sync)

    assert downs == []


async def test_14_a_program_that_is_no_actor_can_wait_for_a_down() -> None:
    async with ActorSystem() as system:
        target = await system.spawn(Target, restart="temporary")
        await target.tell(Target.leave)
        first = await system.down(target)
        second = await system.down(target)

    assert (first.reason, second.reason) == (Normal(), NoProc())


async def test_a_stopped_actor_is_down_with_the_reason_of_its_stop() -> None:
    downs: list[Down] = []

    async with ActorSystem() as system:
        watcher = await system.spawn(lambda: Watcher(downs))
        target = await system.spawn(Target)
        await watcher.ask(Watcher.watch, target)
        await system.stop(target, Shutdown("enough"))
        await watcher.ask(Watcher.sync)

    assert [down.reason for down in downs] == [Shutdown("enough")]


async def test_monitors_end_with_the_incarnation_that_set_them() -> None:
    downs: list[Down] = []

    class Forgetful(Watcher):
        @handler
        async def crash(self) -> None:
            raise ValueError("boom")

    async with ActorSystem() as system:
        watcher = await system.spawn(lambda: Forgetful(downs))
        target = await system.spawn(Target)
        await watcher.ask(Watcher.watch, target)
        await watcher.tell(Forgetful.crash)
        await watcher.ask(Watcher.sync)
        await system.stop(target)
        await watcher.ask(Watcher.sync)

    assert downs == []


async def test_a_down_comes_behind_every_message_that_was_in_the_mailbox_before() -> None:
    log: list[str] = []

    class Listener(Actor):
        @handler
        async def watch(self, ref: ActorRef[Target]) -> None:
            self.context.monitor(ref)

        @handler
        async def note(self, word: str) -> None:
            log.append(word)

        async def down(self, down: Down) -> None:
            log.append("down")

    async with ActorSystem() as system:
        listener = await system.spawn(Listener)
        target = await system.spawn(Target)
        await listener.ask(Listener.watch, target)
        listener.try_tell(Listener.note, "before")
        system.stop_nowait(target)
        await system.down(target)
        await listener.ask(Listener.note, "after")

    assert log == ["before", "down", "after"]


async def test_20_when_a_down_is_seen_the_name_points_to_the_next_incarnation() -> None:
    seen: list[object] = []

    class Finder(Watcher):
        async def down(self, down: Down) -> None:
            found = self.context.system.whereis("target")
            seen.append(None if found is None else await found.ask(Target.incarnation))

    async with ActorSystem() as system:
        finder = await system.spawn(lambda: Finder([]))
        target = await system.spawn(Target, name="target")
        await finder.ask(Watcher.watch, target)
        await target.tell(Target.crash)
        await target.ask(Target.incarnation)
        await finder.ask(Watcher.sync)

    assert seen == [2]


async def test_20_when_the_last_down_is_seen_the_name_is_free() -> None:
    async with ActorSystem() as system:
        target = await system.spawn(Target, name="target", restart="temporary")
        await target.tell(Target.crash)
        await system.down(target)

        assert system.whereis("target") is None
        await system.spawn(Target, name="target")


async def test_a_name_is_given_to_one_running_actor_only() -> None:
    async with ActorSystem() as system:
        await system.spawn(Target, name="target")
        with pytest.raises(NameTaken, match="'target' is taken"):
            await system.spawn(Target, name="target")

        assert len(system.tree()) == 1


async def test_10_a_new_incarnation_starts_only_after_the_old_one_has_fully_ended() -> None:
    log: list[str] = []
    finish = anyio.Event()

    class Slow(Target):
        async def started(self) -> None:
            log.append("started")

        async def stopping(self, reason: ExitReason) -> None:
            await finish.wait()
            log.append("stopped")

    async with ActorSystem() as system:
        old = await system.spawn(Slow)
        await old.tell(Target.crash)
        await anyio.wait_all_tasks_blocked()
        assert log == ["started"]
        finish.set()

        assert await old.ask(Target.incarnation) == 2
        assert log == ["started", "stopped", "started"]


async def test_10_old_refs_monitor_and_stop_the_new_incarnation() -> None:
    async with ActorSystem() as system:
        old = await system.spawn(Target)
        with pytest.raises(ActorCrashed):
            await old.ask(Target.crash)
        await old.ask(Target.incarnation)
        await system.stop(old, Shutdown("by the old ref"))

        assert not old.running
        assert system.tree() == ()
