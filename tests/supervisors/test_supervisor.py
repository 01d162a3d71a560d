"""The supervisor on both loops, on virtual time: a wait of an hour ends at once, and no test depends on a duration."""

from __future__ import annotations

import contextvars
import logging
from collections.abc import Callable
from random import Random
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from actorflow.testing.clock import Backend, virtual_backend
from actorflow_supervisors.backoff import Backoff
from actorflow_supervisors.child_spec import ChildSpec
from actorflow_supervisors.errors import (
    ChildDidNotStop,
    ChildExists,
    ChildStartFailed,
    ChildStillRunning,
    IntensityExceeded,
    InvalidChildSpec,
    NoSuchChild,
    SupervisorNotRunning,
)
from actorflow_supervisors.events import (
    ChildAbandoned,
    ChildStarted,
    RestartScheduled,
    SupervisorEvent,
    SupervisorStopped,
)
from actorflow_supervisors.exit_reason import Crashed, InitFailed, Killed, Normal, Shutdown
from actorflow_supervisors.intensity import RestartIntensity
from actorflow_supervisors.policy import RestartName
from actorflow_supervisors.strategy import StrategyName
from actorflow_supervisors.supervisor import Supervisor
from actorflow_supervisors.tree import ChildKind, ChildState
from tests.supervisors.workers import Watch, Worker, incarnations, states

pytestmark = pytest.mark.anyio

PLENTY = RestartIntensity(max_restarts=10_000, max_seconds=1.0)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Backend:
    return virtual_backend(request.param)


def workers(log: list[str], names: str = "abc") -> list[Worker]:
    return [Worker(name, log) for name in names]


# Lifetime


async def test_children_start_in_order_and_stop_in_reverse_order() -> None:
    log: list[str] = []

    async with Supervisor([worker.spec() for worker in workers(log)]) as supervisor:
        assert states(supervisor) == {"a": "running", "b": "running", "c": "running"}
        await anyio.sleep(1)
        log.append("body")

    assert log == ["a up", "b up", "c up", "body", "c down", "b down", "a down"]
    assert states(supervisor) == {"a": "stopped", "b": "stopped", "c": "stopped"}


async def test_entering_waits_until_each_child_that_signals_has_started() -> None:
    log: list[str] = []

    async def slow(started: Callable[[], None]) -> None:
        await anyio.sleep(60)
        log.append("slow started")
        started()
        await anyio.sleep_forever()

    async def next_one() -> None:
        log.append("next one runs")
        await anyio.sleep_forever()

    children = [ChildSpec(id="slow", run=slow, signals_started=True), ChildSpec(id="next", run=next_one)]
    async with Supervisor(children) as supervisor:
        assert states(supervisor) == {"slow": "running", "next": "running"}

    assert log[0] == "slow started"


async def test_a_child_that_does_not_start_unwinds_the_others_and_raises() -> None:
    log: list[str] = []
    first = Worker("a", log)

    async def broken(started: Callable[[], None]) -> None:
        await anyio.lowlevel.checkpoint()
        raise OSError("no port")

    supervisor = Supervisor([first.spec(), ChildSpec(id="b", run=broken, signals_started=True)])
    with pytest.raises(ChildStartFailed, match="child 'b' did not start: failed to start: OSError: no port") as caught:
        async with supervisor:
            raise AssertionError("the block must not be entered")

    assert isinstance(caught.value.__cause__, OSError)
    assert log == ["a up", "a down"]


async def test_returning_before_it_has_started_is_a_failed_start() -> None:
    async def silent(started: Callable[[], None]) -> None:
        await anyio.lowlevel.checkpoint()

    with pytest.raises(ChildStartFailed, match="returned before it called started"):
        async with Supervisor([ChildSpec(id="a", run=silent, signals_started=True)]):
            raise AssertionError("the block must not be entered")


async def test_an_error_in_the_block_stops_the_children_and_leaves_as_it_is() -> None:
    log: list[str] = []

    async def program() -> None:
        async with Supervisor([worker.spec() for worker in workers(log)]):
            await anyio.sleep(1)
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await program()

    assert log[-3:] == ["c down", "b down", "a down"]


async def test_cancelling_the_host_stops_the_children_in_order_with_their_graces() -> None:
    log: list[str] = []

    async def last_words() -> None:
        await anyio.sleep(1.0)

    children = [Worker(name, log, cleanup=last_words).spec() for name in "abc"]
    with anyio.move_on_after(10) as scope:
        async with Supervisor(children):
            await anyio.sleep_forever()

    assert scope.cancelled_caught
    assert log[-3:] == ["c down", "b down", "a down"]
    assert anyio.current_time() - (scope.deadline) == pytest.approx(3.0)


async def test_cancelling_the_entry_stops_what_has_started() -> None:
    log: list[str] = []

    async def never(started: Callable[[], None]) -> None:
        await anyio.sleep_forever()

    with anyio.move_on_after(1):
        async with Supervisor([Worker("a", log).spec(), ChildSpec(id="b", run=never, signals_started=True)]):
            raise AssertionError("the block must not be entered")

    assert log == ["a up", "a down"]


async def test_a_supervisor_can_be_entered_again_with_its_declared_children_only() -> None:
    log: list[str] = []
    a, b = workers(log, "ab")
    supervisor = Supervisor([a.spec()])

    async with supervisor:
        await supervisor.start_child(b.spec())
    async with supervisor:
        assert incarnations(supervisor) == {"a": 2}

    assert supervisor.tree().incarnation == 2


async def test_a_supervisor_runs_once_at_a_time() -> None:
    async with Supervisor() as supervisor:
        with pytest.raises(SupervisorNotRunning, match="runs already"):
            async with supervisor:
                raise AssertionError("the block must not be entered")

        assert supervisor.tree().state is ChildState.running


async def test_a_supervisor_that_was_not_entered_says_how_to() -> None:
    supervisor = Supervisor([Worker("a", []).spec()])

    with pytest.raises(SupervisorNotRunning, match="async with"):
        await supervisor.stop_child("a")

    assert supervisor.tree().state is ChildState.stopped
    assert states(supervisor) == {"a": "stopped"}


# Crashes


async def test_a_crash_cancels_neither_siblings_nor_the_host() -> None:
    log: list[str] = []
    a, b = workers(log, "ab")

    async with Supervisor([a.spec(), b.spec()]) as supervisor:
        watch = Watch(supervisor)
        a.crash()
        await watch.started("a", 2)
        await anyio.sleep(100)

        assert incarnations(supervisor) == {"a": 2, "b": 1}
        assert "b down" not in log


STRATEGIES: list[tuple[StrategyName, dict[str, int]]] = [
    ("one_for_one", {"a": 1, "b": 2, "c": 1}),
    ("rest_for_one", {"a": 1, "b": 2, "c": 2}),
    ("one_for_all", {"a": 2, "b": 2, "c": 2}),
]


@pytest.mark.parametrize(("strategy", "expected"), STRATEGIES)
async def test_4_a_crash_restarts_the_group_of_the_strategy(strategy: StrategyName, expected: dict[str, int]) -> None:
    log: list[str] = []
    a, b, c = workers(log)

    async with Supervisor([a.spec(), b.spec(), c.spec()], strategy=strategy) as supervisor:
        watch = Watch(supervisor)
        await anyio.sleep(1)
        b.crash()
        await watch.started("b", 2)
        await anyio.sleep(1)

        assert incarnations(supervisor) == expected
        assert states(supervisor) == {"a": "running", "b": "running", "c": "running"}


async def test_4_temporary_siblings_are_not_restarted_with_the_group() -> None:
    log: list[str] = []
    a, b, c = workers(log)

    async with Supervisor([a.spec(), b.spec(restart="temporary"), c.spec()], strategy="one_for_all") as supervisor:
        watch = Watch(supervisor)
        await anyio.sleep(1)
        a.crash()
        await watch.started("c", 2)

        assert incarnations(supervisor) == {"a": 2, "c": 2}


RESTARTS: list[tuple[RestartName, str, bool]] = [
    ("permanent", "finish", True),
    ("permanent", "crash", True),
    ("transient", "finish", False),
    ("transient", "crash", True),
    ("temporary", "finish", False),
    ("temporary", "crash", False),
]


@pytest.mark.parametrize(("restart", "end", "restarted"), RESTARTS)
async def test_5_a_child_that_returned_or_crashed_is_restarted_by_its_type(
    restart: RestartName, end: str, restarted: bool
) -> None:
    worker = Worker("a", [])

    async with Supervisor([worker.spec(restart=restart)]) as supervisor:
        watch = Watch(supervisor)
        await anyio.sleep(1)
        getattr(worker, end)()
        ended = await watch.ended("a", 1)
        await anyio.sleep(100)

        assert isinstance(ended.reason, Normal if end == "finish" else Crashed)
        assert worker.starts == (2 if restarted else 1)


async def test_a_child_may_return_the_reason_of_its_end() -> None:
    async def killed() -> Killed:
        return Killed("memory", detail="limit 64 MiB")

    supervisor = Supervisor([ChildSpec(id="a", run=killed, restart="temporary")])
    watch = Watch(supervisor)
    async with supervisor:
        ended = await watch.ended("a", 1)

    assert ended.reason == Killed("memory", detail="limit 64 MiB")


async def test_the_only_real_error_in_a_group_is_the_reason() -> None:
    async def in_a_nursery() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep_forever)
            raise OSError("leaf")

    supervisor = Supervisor([ChildSpec(id="a", run=in_a_nursery, restart="temporary")])
    watch = Watch(supervisor)
    async with supervisor:
        ended = await watch.ended("a", 1)

    assert isinstance(ended.reason, Crashed)
    assert isinstance(ended.reason.error, OSError)


async def test_a_cancellation_nobody_asked_for_is_a_crash() -> None:
    async def leaky() -> None:
        leaked: BaseException | None = None
        with anyio.CancelScope() as scope:
            scope.cancel()
            try:
                await anyio.lowlevel.checkpoint()
            except anyio.get_cancelled_exc_class() as error:
                leaked = error
        assert leaked is not None
        raise leaked

    supervisor = Supervisor([ChildSpec(id="a", run=leaky, restart="transient")], intensity=PLENTY, backoff=None)
    watch = Watch(supervisor)
    async with supervisor:
        ended = await watch.ended("a", 1)
        await watch.started("a", 2)

    assert isinstance(ended.reason, Crashed)
    assert not ended.asked


async def test_a_cancellation_the_supervisor_asked_for_is_a_shutdown() -> None:
    worker = Worker("a", [])
    async with Supervisor([worker.spec()]) as supervisor:
        watch = Watch(supervisor)

    ended = await watch.ended("a", 1)
    assert ended.reason == Shutdown()
    assert ended.asked


async def test_system_exit_in_a_child_is_a_crash_of_that_child() -> None:
    log: list[str] = []
    a, b = workers(log)[:2]

    async with Supervisor([a.spec(), b.spec()]) as supervisor:
        watch = Watch(supervisor)
        b.crash(SystemExit(0))
        ended = await watch.ended("b", 1)
        await watch.started("b", 2)

    assert isinstance(ended.reason, Crashed)
    assert isinstance(ended.reason.error, SystemExit)
    assert log == ["a up", "b up", "b down", "b up", "b down", "a down"]


async def test_an_interrupt_in_a_child_stops_the_whole_tree_and_leaves_by_the_root() -> None:
    log: list[str] = []
    interrupt = KeyboardInterrupt()
    a, b, c = workers(log)
    inner = Supervisor([b.spec(), c.spec()], name="inner")

    async def program() -> None:
        async with Supervisor([a.spec(), inner.as_child()]):
            await anyio.sleep(1)
            c.crash(interrupt)
            await anyio.sleep_forever()

    with pytest.raises(KeyboardInterrupt) as caught:
        await program()

    assert caught.value is interrupt
    assert log[-3:] == ["c down", "b down", "a down"]


async def test_a_restarted_child_has_the_context_of_the_host_not_of_the_sibling_that_failed() -> None:
    colour = contextvars.ContextVar("colour", default="none")
    seen: list[str] = []

    async def painter() -> None:
        colour.set("red")
        await anyio.sleep(1)
        raise ValueError

    async def viewer() -> None:
        seen.append(colour.get())
        await anyio.sleep_forever()

    colour.set("host")
    children = [ChildSpec(id="painter", run=painter), ChildSpec(id="viewer", run=viewer)]
    async with Supervisor(children, strategy="one_for_all", backoff=None) as supervisor:
        await Watch(supervisor).started("viewer", 2)
        await anyio.sleep(0.5)

    assert seen == ["host", "host"]


# Intensity


async def test_3_a_fourth_crash_within_five_seconds_stops_all_and_raises_at_the_root() -> None:
    log: list[str] = []
    a, b, c = workers(log)
    supervisor = Supervisor([a.spec(), b.spec(), c.spec()], name="app", backoff=None)
    watch = Watch(supervisor)

    async def program() -> None:
        async with supervisor:
            for crash in range(1, 5):
                await anyio.sleep(1)
                b.crash(ValueError(f"crash {crash}"))
                await watch.ended("b", crash)
            await anyio.sleep_forever()

    with pytest.raises(IntensityExceeded) as caught:
        await program()

    error = caught.value
    assert (error.path, error.child_id, error.restarts, error.max_seconds) == ("app", "b", 3, 5.0)
    assert str(error.__cause__) == "crash 4"
    assert "ValueError: crash 4" in str(error)
    assert log[-3:] == ["b down", "c down", "a down"]
    assert supervisor.tree().last_exit == Shutdown("intensity")


async def test_3_crashes_5_01_seconds_apart_never_trip() -> None:
    worker = Worker("a", [])
    intensity = RestartIntensity(max_restarts=1, max_seconds=5.0)

    async with Supervisor([worker.spec()], intensity=intensity) as supervisor:
        watch = Watch(supervisor)
        for crash in range(1, 50):
            await anyio.sleep(5.01)
            worker.crash()
            await watch.started("a", crash + 1)


PARENTS: list[tuple[RestartName, bool]] = [("permanent", True), ("transient", True), ("temporary", False)]


@pytest.mark.parametrize(("restart", "restarted"), PARENTS)
async def test_3_the_parent_applies_its_own_policy_to_a_supervisor_that_gave_up(
    restart: RestartName, restarted: bool
) -> None:
    worker = Worker("w", [])
    inner = Supervisor([worker.spec()], name="inner", intensity=RestartIntensity(max_restarts=1), backoff=None)

    async with Supervisor([inner.as_child(restart=restart)]) as outer:
        watch = Watch(outer)
        for crash in (1, 2):
            await anyio.sleep(1)
            worker.crash()
            await watch.ended("w", crash)
        ended = await watch.ended("inner", 1)
        await anyio.sleep(100)

        assert ended.reason == Shutdown("intensity")
        assert incarnations(outer) == ({"inner": 2} if restarted else {})
        assert worker.starts == (3 if restarted else 2)


async def test_3_the_error_at_the_root_tells_the_whole_way_down_to_the_last_crash() -> None:
    async def broken() -> None:
        await anyio.sleep(1)
        raise OSError("no database")

    never = RestartIntensity(max_restarts=0)
    inner = Supervisor([ChildSpec(id="db", run=broken)], name="inner", intensity=never)

    with pytest.raises(IntensityExceeded) as caught:
        async with Supervisor([inner.as_child()], name="app", intensity=never):
            await anyio.sleep_forever()

    assert caught.value.path == "app"
    assert isinstance(caught.value.__cause__, IntensityExceeded)
    assert caught.value.__cause__.path == "app/inner"
    assert isinstance(caught.value.__cause__.__cause__, OSError)
    assert "child 'db' failed again after 0 restarts" in str(caught.value)


async def test_budgets_multiply_down_a_tree() -> None:
    starts = 0

    async def broken() -> None:
        nonlocal starts
        starts += 1
        await anyio.sleep(0.001)
        raise OSError

    low = Supervisor([ChildSpec(id="broken", run=broken)], name="low", backoff=None)
    middle = Supervisor([low.as_child()], name="middle", backoff=None)

    with pytest.raises(IntensityExceeded):
        async with Supervisor([middle.as_child()], backoff=None):
            await anyio.sleep_forever()

    assert starts == 4 * 4 * 4


async def test_waiting_for_a_supervisor_that_gives_up_raises_too() -> None:
    worker = Worker("a", [])
    caught: list[BaseException] = []
    raised: list[BaseException] = []
    supervisor = Supervisor([worker.spec()], intensity=RestartIntensity(max_restarts=0))

    async def wait() -> None:
        try:
            await supervisor.wait()
        except IntensityExceeded as error:
            caught.append(error)

    async def program() -> None:
        async with supervisor:
            group.start_soon(wait)
            await anyio.sleep(1)
            worker.crash()
            await anyio.sleep_forever()

    async with anyio.create_task_group() as group:
        with pytest.raises(IntensityExceeded) as at_the_block:
            await program()
        raised.append(at_the_block.value)

    assert caught == raised


async def test_an_error_of_the_block_is_not_hidden_by_a_supervisor_that_gave_up() -> None:
    worker = Worker("a", [])

    async def program() -> None:
        async with Supervisor([worker.spec()], intensity=RestartIntensity(max_restarts=0)):
            try:
                await anyio.sleep(1)
                worker.crash()
                await anyio.sleep_forever()
            finally:
                raise KeyError("mine")

    with pytest.raises(KeyError) as caught:
        await program()

    assert any("gave up" in note for note in caught.value.__notes__)


# Backoff


async def test_13_backoff_bounds_and_spreads_the_restarts_of_a_flapping_dependency() -> None:
    is_down = True
    starts_s: dict[str, list[float]] = {str(name): [] for name in range(10)}

    def flapper(name: str) -> ChildSpec:
        async def run() -> None:
            starts_s[name].append(anyio.current_time())
            if is_down:
                raise OSError("connection refused")
            await anyio.sleep_forever()

        return ChildSpec(id=name, run=run)

    backoff = Backoff(base_s=0.1, cap_s=30.0, jitter=0.5, reset_after_s=60.0)
    children = [flapper(name) for name in starts_s]
    async with Supervisor(children, intensity=PLENTY, backoff=backoff, rng=Random(13)) as supervisor:
        await anyio.sleep(60)
        restarts = [child.restarts for child in supervisor.tree().children]
        is_down = False
        await anyio.sleep(60)

        assert all(5 <= count < 12 for count in restarts)
        assert len({tuple(times) for times in starts_s.values()}) == 10
        assert set(states(supervisor).values()) == {"running"}


async def test_13_the_delay_starts_anew_after_a_quiet_period() -> None:
    worker = Worker("a", [])
    backoff = Backoff(base_s=10.0, cap_s=10.0, jitter=0.0, reset_after_s=60.0)

    async with Supervisor([worker.spec()], backoff=backoff, intensity=PLENTY) as supervisor:
        watch = Watch(supervisor)
        await anyio.sleep(1)
        for quiet_s in (1, 1, 60, 59, 60):
            await anyio.sleep(quiet_s)
            worker.crash()
            await watch.started("a", worker.starts + 1)
            await anyio.sleep(0.001)

    delays_s = [event.delay_s for event in watch.events if isinstance(event, RestartScheduled)]
    assert delays_s == [0.0, 10.0, 0.0, 10.0, 0.0]


async def test_23_a_backoff_of_an_hour_takes_no_real_hour() -> None:
    worker = Worker("a", [])
    backoff = Backoff(base_s=3600.0, cap_s=3600.0, jitter=0.0, immediate_first=False)

    async with Supervisor([worker.spec()], backoff=backoff) as supervisor:
        watch = Watch(supervisor)
        await anyio.sleep(1)
        crashed_s = anyio.current_time()
        worker.crash()
        await watch.started("a", 2)

        assert anyio.current_time() - crashed_s == pytest.approx(3600.0)


async def test_a_stop_gets_in_during_a_backoff_of_an_hour() -> None:
    worker = Worker("a", [])
    backoff = Backoff(base_s=3600.0, cap_s=3600.0, jitter=0.0, immediate_first=False)

    async with Supervisor([worker.spec()], backoff=backoff) as supervisor:
        watch = Watch(supervisor)
        await anyio.sleep(1)
        worker.crash()
        await watch.ended("a", 1)
        assert states(supervisor) == {"a": "backoff"}
        crashed_s = anyio.current_time()

    assert anyio.current_time() == crashed_s


# Incarnations without overlap


async def test_10_a_new_incarnation_starts_only_after_the_old_one_has_cleaned_up() -> None:
    log: list[str] = []

    async def cleanup() -> None:
        await anyio.sleep(1.0)

    a, b = Worker("a", log, cleanup=cleanup), Worker("b", log)
    async with Supervisor([a.spec(), b.spec()], strategy="one_for_all") as supervisor:
        watch = Watch(supervisor)
        await anyio.sleep(1)
        log.clear()
        b.crash()
        await watch.started("b", 2)
        await anyio.sleep(0.5)

        assert log == ["b down", "a down", "a up", "b up"]
        ended_s = (await watch.ended("a", 1)).at_s
        started_s = [e.at_s for e in watch.events if isinstance(e, ChildStarted) and e.child_id == "a"]
        assert ended_s <= started_s[0]


async def test_10_a_supervisor_object_reaches_its_new_incarnation() -> None:
    log: list[str] = []
    w, extra = Worker("w", log), Worker("extra", log)
    inner = Supervisor([w.spec()], name="inner", intensity=RestartIntensity(max_restarts=0))

    async with Supervisor([inner.as_child()]) as outer:
        watch = Watch(outer)
        await anyio.sleep(1)
        w.crash()
        await watch.started("inner", 2)
        await inner.start_child(extra.spec())
        await inner.stop_child("w")

        assert states(inner) == {"w": "stopped", "extra": "running"}
        assert outer.tree().children[0].children == inner.tree().children


# Children that do not end


def deaf(release: anyio.Event, log: list[str]) -> Callable[[], Any]:
    """A child that hears no cancellation until it is released; started after that, it hears well."""

    async def run() -> None:
        if release.is_set():
            await anyio.sleep_forever()
        with anyio.CancelScope(shield=True):
            await release.wait()
        log.append("deaf released")

    return run


async def test_6_a_child_that_ignores_cancellation_is_abandoned_after_its_grace_and_siblings_stop_in_order() -> None:
    log: list[str] = []
    release = anyio.Event()
    a, c = workers(log, "ac")
    supervisor = Supervisor(
        [a.spec(), ChildSpec(id="deaf", run=deaf(release, log), shutdown_s=0.5), c.spec()], name="app"
    )
    watch = Watch(supervisor)
    async with supervisor:
        await anyio.sleep(1)
        left_s = anyio.current_time()

    assert anyio.current_time() - left_s == pytest.approx(0.5)
    assert log == ["a up", "c up", "c down", "a down"]
    abandoned = [event for event in watch.events if isinstance(event, ChildAbandoned)]
    assert [(event.path, event.child_id, event.grace_s) for event in abandoned] == [("app", "deaf", 0.5)]
    assert states(supervisor)["deaf"] == "abandoned"
    release.set()
    assert (await watch.ended("deaf", 1)).asked
    assert states(supervisor)["deaf"] == "stopped"


async def test_6_a_child_that_swallows_its_cancellation_is_abandoned_too() -> None:
    release = anyio.Event()

    async def swallows() -> None:
        if release.is_set():
            await anyio.sleep_forever()
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                await release.wait()

    supervisor = Supervisor([ChildSpec(id="a", run=swallows, shutdown_s=0.5)])
    watch = Watch(supervisor)
    async with supervisor:
        await anyio.sleep(1)
        with pytest.raises(ChildDidNotStop, match=r"did not end within 0\.5 s and was abandoned"):
            await supervisor.stop_child("a")
        with pytest.raises(ChildStillRunning):
            await supervisor.restart_child("a")
        release.set()
        await watch.ended("a", 1)
        await supervisor.restart_child("a")


async def test_6_an_abandoned_child_is_not_overlapped_by_the_next_life_of_its_supervisor() -> None:
    log: list[str] = []
    release = anyio.Event()
    supervisor = Supervisor([ChildSpec(id="deaf", run=deaf(release, log), shutdown_s=0.0)])
    watch = Watch(supervisor)
    async with supervisor:
        await anyio.sleep(1)

    with pytest.raises(ChildStartFailed, match="child 'deaf' is abandoned and has not ended"):
        async with supervisor:
            raise AssertionError("the block must not be entered")
    release.set()
    await watch.ended("deaf", 1)

    async with supervisor:
        assert states(supervisor) == {"deaf": "running"}


async def test_a_grace_of_nothing_abandons_no_child_that_hears() -> None:
    log: list[str] = []
    supervisor = Supervisor([worker.spec(shutdown_s=0.0) for worker in workers(log)])
    watch = Watch(supervisor)

    async with supervisor:
        await anyio.sleep(1)

    assert log[-3:] == ["c down", "b down", "a down"]
    assert not any(isinstance(event, ChildAbandoned) for event in watch.events)


# Significant children


async def test_24_a_significant_child_that_returns_ends_the_supervisor() -> None:
    log: list[str] = []
    a, job = workers(log, "aj")

    children = [a.spec(), job.spec(restart="transient", significant=True)]
    async with Supervisor(children, auto_shutdown="any_significant") as supervisor:
        await anyio.sleep(1)
        job.finish()
        reason = await supervisor.wait()
        log.append("body goes on")

    assert reason == Shutdown("auto_shutdown")
    assert log[-3:] == ["j down", "a down", "body goes on"]


async def test_24_all_significant_children_have_to_return() -> None:
    j, k = workers([], "jk")
    children = [worker.spec(restart="transient", significant=True) for worker in (j, k)]

    async with Supervisor(children, auto_shutdown="all_significant") as supervisor:
        watch = Watch(supervisor)
        await anyio.sleep(1)
        j.finish()
        await watch.ended("j", 1)
        assert supervisor.tree().state is ChildState.running
        k.finish()

        assert await supervisor.wait() == Shutdown("auto_shutdown")


async def test_24_manual_and_sibling_caused_stops_end_nothing() -> None:
    a, j, k = workers([], "ajk")
    children = [a.spec(), *(worker.spec(restart="transient", significant=True) for worker in (j, k))]

    async with Supervisor(children, auto_shutdown="any_significant", strategy="one_for_all") as supervisor:
        watch = Watch(supervisor)
        await anyio.sleep(1)
        await supervisor.stop_child("j")
        a.crash()
        await watch.started("k", 2)

        assert supervisor.tree().state is ChildState.running


async def test_24_a_transient_supervisor_that_ended_itself_is_not_restarted() -> None:
    job = Worker("j", [])
    inner = Supervisor([job.spec(restart="transient", significant=True)], name="inner", auto_shutdown="any_significant")

    async with Supervisor([inner.as_child(restart="transient")]) as outer:
        watch = Watch(outer)
        await anyio.sleep(1)
        job.finish()
        ended = await watch.ended("inner", 1)
        await anyio.sleep(100)

        assert ended.reason == Shutdown("auto_shutdown")
        assert states(outer) == {"inner": "stopped"}


# Requests


async def test_starting_a_child_returns_after_it_has_started() -> None:
    ready = anyio.Event()

    async def slow(started: Callable[[], None]) -> None:
        await anyio.sleep(5)
        ready.set()
        started()
        await anyio.sleep_forever()

    async with Supervisor() as supervisor:
        await supervisor.start_child(ChildSpec(id="a", run=slow, signals_started=True))

        assert ready.is_set()
        assert states(supervisor) == {"a": "running"}


async def test_a_child_that_fails_to_start_leaves_nothing_behind() -> None:
    async def broken(started: Callable[[], None]) -> None:
        raise OSError("no port")

    async with Supervisor() as supervisor:
        with pytest.raises(ChildStartFailed, match="no port") as caught:
            await supervisor.start_child(ChildSpec(id="a", run=broken, signals_started=True))

        assert isinstance(caught.value.reason, InitFailed)
        assert states(supervisor) == {}


async def test_a_cancelled_start_is_undone() -> None:
    log: list[str] = []

    async def slow(started: Callable[[], None]) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            log.append("undone")

    async with Supervisor() as supervisor:
        watch = Watch(supervisor)
        with anyio.move_on_after(1):
            await supervisor.start_child(ChildSpec(id="a", run=slow, signals_started=True))
        await watch.ended("a", 1)

        assert log == ["undone"]
        assert states(supervisor) == {}


async def test_requests_that_make_no_sense_raise_by_name() -> None:
    async with Supervisor([Worker("a", []).spec()]) as supervisor:
        with pytest.raises(ChildExists):
            await supervisor.start_child(Worker("a", []).spec())
        with pytest.raises(NoSuchChild, match="there are: 'a'"):
            await supervisor.stop_child("z")
        with pytest.raises(ChildStillRunning):
            await supervisor.delete_child("a")
        await supervisor.stop_child("a")
        await supervisor.delete_child("a")
        assert states(supervisor) == {}

    with pytest.raises(SupervisorNotRunning):
        await supervisor.start_child(Worker("a", []).spec())


async def test_a_child_may_ask_its_own_supervisor_to_stop() -> None:
    log: list[str] = []
    supervisor = Supervisor()

    async def last() -> None:
        supervisor.request_stop("enough")
        await anyio.sleep_forever()

    async with supervisor:
        await supervisor.start_child(Worker("a", log).spec())
        await supervisor.start_child(ChildSpec(id="last", run=last))

        assert await supervisor.wait() == Shutdown("enough")

    assert log == ["a up", "a down"]


# Trees and events


async def test_a_tree_is_declared_as_one_value_and_seen_as_one_value() -> None:
    log: list[str] = []
    a, b, c = workers(log)
    tree = Supervisor(
        [a.spec(), Supervisor([b.spec(), c.spec()], name="inner", strategy="rest_for_one").as_child()],
        name="app",
    )
    declared = tree.tree()

    async with tree:
        running = tree.tree()

    assert [child.id for child in declared.children[1].children] == ["b", "c"]
    assert {declared.state, declared.children[1].state, declared.children[1].children[0].state} == {ChildState.stopped}
    assert (running.id, running.kind, running.incarnation) == ("app", ChildKind.supervisor, 1)
    assert [(child.id, child.kind, child.state) for child in running.children] == [
        ("a", ChildKind.worker, ChildState.running),
        ("inner", ChildKind.supervisor, ChildState.running),
    ]
    assert [child.state for child in running.children[1].children] == [ChildState.running, ChildState.running]
    assert tree.tree().last_exit == Shutdown()


async def test_the_tree_tells_restarts_and_the_last_exit() -> None:
    worker = Worker("a", [])

    async with Supervisor([worker.spec()]) as supervisor:
        watch = Watch(supervisor)
        await anyio.sleep(1)
        worker.crash(OSError("gone"))
        await watch.started("a", 2)
        child = supervisor.tree().children[0]

    assert (child.incarnation, child.restarts) == (2, 1)
    assert isinstance(child.last_exit, Crashed)
    assert str(child.last_exit.error) == "gone"


async def test_a_wrong_tree_is_refused_where_it_is_written() -> None:
    twin = Worker("a", [])

    with pytest.raises(ChildExists):
        Supervisor([twin.spec(), twin.spec()])
    with pytest.raises(InvalidChildSpec, match="'two_for_one' is not a valid Strategy; strategies: one_for_one"):
        Supervisor(strategy="two_for_one")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def test_subscribers_see_the_events_below_and_can_leave() -> None:
    worker = Worker("w", [])
    inner = Supervisor([worker.spec()], name="inner")
    outer = Supervisor([inner.as_child()], name="app")
    seen: list[SupervisorEvent] = []
    unsubscribe = outer.subscribe(seen.append)

    async with outer:
        assert [event.path for event in seen if isinstance(event, ChildStarted)] == ["app/inner", "app"]
        unsubscribe()

    assert not any(isinstance(event, SupervisorStopped) for event in seen)


async def test_a_subscriber_that_raises_is_logged_and_breaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def broken(event: SupervisorEvent) -> None:
        raise RuntimeError("not my day")

    supervisor = Supervisor([Worker("a", []).spec()])
    supervisor.subscribe(broken)
    watch = Watch(supervisor)

    async with supervisor:
        await watch.started("a", 1)

    assert "not my day" in caplog.text


async def test_a_crash_is_logged_once_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    worker = Worker("w", [])
    inner = Supervisor([worker.spec()], name="inner")

    with caplog.at_level(logging.INFO, logger="actorflow.supervisors"):
        async with Supervisor([inner.as_child()], name="app") as outer:
            watch = Watch(outer)
            await anyio.sleep(1)
            worker.crash(OSError("gone"))
            await watch.started("w", 2)

    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.getMessage() for record in errors] == [
        "child app/inner/w (incarnation 1) ended: crashed: OSError: gone"
    ]
    assert errors[0].exc_info is not None
    assert "restarting w of app/inner in 0 s" in caplog.text
