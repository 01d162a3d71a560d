"""The watchdog on both loops, over loops that are really blocked: until it has said so, and no longer."""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator

import anyio
import anyio.lowlevel
import pytest

from actorflow.actors.actor import Actor
from actorflow.actors.handler import handler
from actorflow.actors.system import ActorSystem
from actorflow_supervisors import ChildSpec, DynamicSupervisor, LoopBlocked, LoopWatchdog, Supervisor, SupervisorEvent

pytestmark = pytest.mark.anyio

SOON_S = 0.05
"""On a busy machine a loop may be late by as much without any code to blame; such an episode counts nowhere here."""
BLOCKING = "alarm.block_until_found()"
NEVER_S = 3600.0
DEADLINE_S = 60.0
"""Only a watchdog that says nothing makes a test wait so long; then it fails."""


class Alarm(logging.Handler):
    """Blocks whoever waits for it until the watchdog has written its warning."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._found = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        line = record.getMessage()
        self.lines.append(line)
        if line.startswith("the loop has not turned") and BLOCKING in line:
            self._found.set()

    def block_until_found(self) -> None:
        """Blocks the thread, and so the loop, that calls it."""
        assert self._found.wait(DEADLINE_S), "the watchdog noticed nothing"
        self._found.clear()


@pytest.fixture
def alarm() -> Generator[Alarm]:
    """Hears the log of the supervisors."""
    handler = Alarm()
    logger = logging.getLogger("actorflow.supervisors")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


class Told:
    """Collects what it is told of blocked loops, and waits for it."""

    def __init__(self) -> None:
        self.events: list[LoopBlocked] = []
        self.called_in: list[int] = []
        self._news = anyio.Event()

    def __call__(self, event: SupervisorEvent) -> None:
        if isinstance(event, LoopBlocked) and BLOCKING in event.stack:
            self.events.append(event)
            self.called_in.append(threading.get_ident())
            self._news.set()
            self._news = anyio.Event()

    async def until(self, count: int) -> None:
        while len(self.events) < count:
            await self._news.wait()


def watchdogs() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "actorflow-watchdog"]


async def until_turned(watchdog: LoopWatchdog, turns: int) -> None:
    while watchdog.turns < turns:
        await anyio.lowlevel.checkpoint()


async def test_a_child_that_blocks_the_loop_is_named_and_its_siblings_live_on(alarm: Alarm) -> None:
    told = Told()
    beats = anyio.Event()
    go = anyio.Event()

    async def hog() -> None:
        await go.wait()
        alarm.block_until_found()
        await anyio.sleep_forever()

    async def heart() -> None:
        await told.until(1)
        beats.set()
        await anyio.sleep_forever()

    specs = [ChildSpec(id="heart", run=heart), ChildSpec(id="hog", run=hog)]
    async with Supervisor(specs, name="app", watchdog=LoopWatchdog(limit_s=SOON_S)) as supervisor:
        supervisor.subscribe(told)
        go.set()
        await beats.wait()

        states = {child.id: (child.state.value, child.incarnation) for child in supervisor.tree().children}

    (event,) = told.events
    assert states == {"heart": ("running", 1), "hog": ("running", 1)}
    assert (event.path, event.child) == ("app", "app/hog")
    assert BLOCKING in event.stack
    assert event.blocked_s >= SOON_S
    assert told.called_in == [threading.get_ident()]


async def test_the_log_names_the_child_at_once_and_tells_the_duration_at_the_end(alarm: Alarm) -> None:
    told = Told()

    async def hog() -> None:
        alarm.block_until_found()
        await anyio.sleep_forever()

    watchdog = LoopWatchdog(limit_s=SOON_S, on_blocked=told)
    async with Supervisor([ChildSpec(id="hog", run=hog)], name="app", watchdog=watchdog):
        await told.until(1)

    (found,) = [line for line in alarm.lines if BLOCKING in line]
    over = alarm.lines[alarm.lines.index(found) + 1]
    assert found.startswith("the loop has not turned for 0.05 s: child app/hog is at work, and everything else waits\n")
    assert over.startswith("the loop turns again: it was blocked for ")
    assert over.endswith(" s by child app/hog")


async def test_each_episode_is_told_once(alarm: Alarm) -> None:
    told = Told()

    async def hog() -> None:
        for count in (1, 2, 3):
            alarm.block_until_found()
            await told.until(count)
        await anyio.sleep_forever()

    watchdog = LoopWatchdog(limit_s=SOON_S, on_blocked=told)
    async with Supervisor([ChildSpec(id="hog", run=hog)], watchdog=watchdog):
        await told.until(3)

    assert [event.child for event in told.events] == ["supervisor/hog"] * 3
    assert len([line for line in alarm.lines if BLOCKING in line]) == 3


async def test_a_child_of_a_supervisor_below_is_named_by_its_whole_path(alarm: Alarm) -> None:
    told = Told()

    async def hog() -> None:
        alarm.block_until_found()
        await anyio.sleep_forever()

    below = Supervisor([ChildSpec(id="hog", run=hog)], name="workers")
    watchdog = LoopWatchdog(limit_s=SOON_S, on_blocked=told)
    async with Supervisor([below.as_child()], name="app", watchdog=watchdog):
        await told.until(1)

    assert told.events[0].child == "app/workers/hog"


async def test_a_child_of_a_dynamic_supervisor_is_named(alarm: Alarm) -> None:
    told = Told()

    async def hog() -> None:
        alarm.block_until_found()

    with LoopWatchdog(limit_s=SOON_S, on_blocked=told):
        async with DynamicSupervisor() as supervisor:
            supervisor.start_child_nowait(ChildSpec(id="hog", run=hog, restart="temporary"))
            await told.until(1)

    assert told.events[0].child == "hog"


async def test_the_task_is_named_where_the_code_is_no_childs_own(alarm: Alarm) -> None:
    told = Told()

    async def hog() -> None:
        alarm.block_until_found()

    with LoopWatchdog(limit_s=SOON_S, on_blocked=told):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hog, name="the hog")
            await told.until(1)

    assert (told.events[0].child, told.events[0].task) == (None, "the hog")
    assert BLOCKING in told.events[0].stack
    assert any(line.endswith("by task the hog") for line in alarm.lines)


async def test_an_actor_that_blocks_the_loop_is_named_by_its_path_and_goes_on(alarm: Alarm) -> None:
    told = Told()

    class Hog(Actor):
        @handler
        async def hog(self) -> str:
            alarm.block_until_found()
            return "done"

    class Parent(Actor):
        async def started(self) -> None:
            await self.context.spawn(Hog, name="hog")

    async with ActorSystem(watchdog=LoopWatchdog(limit_s=SOON_S, on_blocked=told)) as system:
        await system.spawn(Parent, name="etl")
        hog = system.whereis("etl/hog")
        assert hog is not None
        reply = await hog.ask(Hog.hog)
        await told.until(1)

    assert reply == "done"
    assert told.events[0].child == "etl/hog"
    assert "in hog" in told.events[0].stack
    assert watchdogs() == []


async def test_an_episode_that_ends_with_the_watch_is_told(alarm: Alarm) -> None:
    told = Told()
    watchdog = LoopWatchdog(limit_s=SOON_S, on_blocked=told)

    watchdog.start()
    alarm.block_until_found()
    watchdog.stop()

    assert len(told.events) == 1
    assert watchdogs() == []


async def test_a_loop_that_turns_is_not_reported(alarm: Alarm) -> None:
    told = Told()

    with LoopWatchdog(limit_s=NEVER_S, every_s=0.0, on_blocked=told) as watchdog:
        await until_turned(watchdog, 50)

    assert told.events == []
    assert alarm.lines == []


async def test_a_listener_that_fails_is_logged_and_breaks_nothing(
    alarm: Alarm, caplog: pytest.LogCaptureFixture
) -> None:
    told = Told()

    def broken(event: LoopBlocked) -> None:
        told(event)
        raise ValueError("broken listener")

    with LoopWatchdog(limit_s=SOON_S, on_blocked=broken):
        for count in (1, 2):
            alarm.block_until_found()
            await told.until(count)

    assert "broken listener" in caplog.text
    assert len(told.events) == 2


async def test_a_supervisor_that_has_ended_is_watched_no_more_and_can_be_entered_again(alarm: Alarm) -> None:
    told = Told()

    async def hog() -> None:
        alarm.block_until_found()
        await anyio.sleep_forever()

    supervisor = Supervisor([ChildSpec(id="hog", run=hog)], watchdog=LoopWatchdog(limit_s=SOON_S, on_blocked=told))
    for life in (1, 2):
        async with supervisor:
            assert len(watchdogs()) == 1
            await told.until(life)
        assert watchdogs() == []


async def test_without_a_watchdog_there_is_no_thread() -> None:
    async with Supervisor([ChildSpec(id="idle", run=anyio.sleep_forever)]), ActorSystem():
        assert watchdogs() == []


async def test_one_watchdog_watches_one_loop() -> None:
    with LoopWatchdog(limit_s=NEVER_S) as watchdog, pytest.raises(RuntimeError, match="make another"):
        watchdog.start()


@pytest.mark.parametrize("limit_s", [0.0, -1.0])
async def test_a_limit_that_is_none_is_refused(limit_s: float) -> None:
    with pytest.raises(ValueError, match="more than 0"):
        LoopWatchdog(limit_s=limit_s)


async def test_a_watchdog_whose_loop_is_over_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def over(*_: object) -> None:
        raise RuntimeError("the loop is over")

    with LoopWatchdog(limit_s=NEVER_S, every_s=0.0) as watchdog:
        monkeypatch.setattr(watchdog._seam, "call_from_anywhere", over)

        while watchdogs():
            await anyio.lowlevel.checkpoint()
