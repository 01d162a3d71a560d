"""The dynamic supervisor: any number of children, each with a budget of its own."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

import anyio
import pytest

from actorflow_supervisors.backoff import Backoff
from actorflow_supervisors.child import Child, Verdict
from actorflow_supervisors.child_spec import ChildSpec
from actorflow_supervisors.dynamic import DynamicSupervisor
from actorflow_supervisors.errors import ChildStartFailed, MaxChildren, SupervisorNotRunning
from actorflow_supervisors.exit_reason import Crashed, ExitReason, InitFailed, Killed, Normal, Shutdown
from actorflow_supervisors.intensity import RestartIntensity
from actorflow_supervisors.supervisor import Supervisor
from actorflow_supervisors.tree import ChildKind, ChildState

pytestmark = pytest.mark.anyio

AN_HOUR = Backoff(base_s=3600.0, cap_s=3600.0, jitter=0.0, immediate_first=False)


class Exits:
    """Records what the supervisor reports, and lets a test wait for the n-th report."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, Verdict]] = []
        self._changed = anyio.Event()

    def __call__(self, child: Child, reason: ExitReason, verdict: Verdict) -> None:
        self.seen.append((child.label, type(reason).__name__, verdict))
        self._changed.set()
        self._changed = anyio.Event()

    async def count(self, number: int) -> None:
        while len(self.seen) < number:
            await self._changed.wait()


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logger = logging.getLogger("actorflow.supervisors")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(before)


async def sleeper() -> None:
    await anyio.sleep_forever()


async def faulty() -> None:
    raise ValueError("no such row")


async def test_a_crashed_child_is_restarted_in_place_until_its_budget_is_spent() -> None:
    exits = Exits()
    budget = RestartIntensity(max_restarts=2, max_seconds=3600.0)
    no_delay = Backoff(base_s=1e-9, cap_s=1e-9)

    async with DynamicSupervisor(intensity=budget, backoff=no_delay, on_exit=exits) as supervisor:
        child = await supervisor.start_child(ChildSpec(id="flaky", run=faulty))
        await child.wait_ended()

    assert [verdict for _, _, verdict in exits.seen] == [Verdict.restart, Verdict.restart, Verdict.give_up]
    assert child.last_exit == Shutdown("intensity")
    assert (child.incarnation, child.restarts) == (3, 2)


async def test_24_a_bad_child_never_spends_the_budget_of_a_healthy_sibling() -> None:
    exits = Exits()
    crash = anyio.Event()

    async def crash_once() -> None:
        if not crash.is_set():
            await crash.wait()
            raise ValueError("once")
        await anyio.sleep_forever()

    budget = RestartIntensity(max_restarts=1, max_seconds=3600.0)
    async with DynamicSupervisor(intensity=budget, on_exit=exits) as supervisor:
        healthy = await supervisor.start_child(ChildSpec(id="healthy", run=crash_once))
        bad = await supervisor.start_child(
            ChildSpec(id="bad", run=faulty, backoff=Backoff(base_s=1e-9, cap_s=1e-9), intensity=budget)
        )
        await bad.wait_ended()
        crash.set()
        await exits.count(3)

        assert supervisor.children == (healthy,)
        assert exits.seen[-1] == ("healthy", "Crashed", Verdict.restart)


@pytest.mark.parametrize(
    ("restart", "verdict"), [("permanent", Verdict.restart), ("transient", Verdict.end), ("temporary", Verdict.end)]
)
async def test_a_child_that_returns_is_restarted_only_if_it_is_permanent(restart: str, verdict: Verdict) -> None:
    exits = Exits()

    async def returns() -> None:
        return

    async with DynamicSupervisor(backoff=AN_HOUR, on_exit=exits) as supervisor:
        supervisor.start_child_nowait(ChildSpec(id="one", run=returns, restart=restart))  # type: ignore[arg-type]
        await exits.count(1)

    assert exits.seen[0] == ("one", "Normal", verdict)


async def test_a_child_that_fails_before_it_is_up_fails_its_start_and_is_not_restarted() -> None:
    async def never_up(started: object) -> None:
        raise ValueError("no licence")

    async with DynamicSupervisor() as supervisor:
        with pytest.raises(ChildStartFailed, match="no licence") as caught:
            await supervisor.start_child(ChildSpec(id="one", run=never_up, signals_started=True))

        assert isinstance(caught.value.reason, InitFailed)
        assert len(supervisor) == 0


async def test_a_start_returns_only_when_the_child_says_it_is_up() -> None:
    go = anyio.Event()
    log: list[str] = []

    async def slow_start(started: object) -> None:
        await go.wait()
        log.append("up")
        assert callable(started)
        started()
        await anyio.sleep_forever()

    async with DynamicSupervisor() as supervisor, anyio.create_task_group() as group:
        group.start_soon(supervisor.start_child, ChildSpec(id="one", run=slow_start, signals_started=True))
        await anyio.wait_all_tasks_blocked()
        assert [child.state for child in supervisor.children] == [ChildState.starting]
        go.set()

    assert log == ["up"]


async def test_a_cancelled_start_leaves_no_child_behind() -> None:
    async def never_up(started: object) -> None:
        await anyio.sleep_forever()

    async with DynamicSupervisor() as supervisor:
        with anyio.move_on_after(0):
            await supervisor.start_child(ChildSpec(id="one", run=never_up, signals_started=True))
        for child in supervisor.children:
            await child.wait_ended()

        assert len(supervisor) == 0


async def test_a_stopped_child_ends_with_the_reason_it_was_given_and_is_not_restarted() -> None:
    async with DynamicSupervisor() as supervisor:
        child = await supervisor.start_child(ChildSpec(id="one", run=sleeper))
        await supervisor.stop_child(child, Shutdown("enough"))

    assert child.last_exit == Shutdown("enough")
    assert child.incarnation == 1


async def test_a_child_stopped_before_its_first_step_never_runs() -> None:
    ran: list[str] = []

    async def child_run() -> None:
        ran.append("ran")

    async with DynamicSupervisor() as supervisor:
        child = supervisor.start_child_nowait(ChildSpec(id="one", run=child_run))
        await supervisor.stop_child(child)

    assert ran == []
    assert child.last_exit == Shutdown()


async def test_a_child_stopped_while_it_waits_for_its_restart_ends_at_once() -> None:
    exits = Exits()

    async with DynamicSupervisor(backoff=AN_HOUR, on_exit=exits) as supervisor:
        child = await supervisor.start_child(ChildSpec(id="one", run=faulty))
        await exits.count(1)
        assert child.state is ChildState.backoff
        await supervisor.stop_child(child)

    assert child.last_exit == Shutdown()
    assert child.incarnation == 1


async def test_no_more_than_max_children_run_at_once() -> None:
    async with DynamicSupervisor(max_children=1) as supervisor:
        first = await supervisor.start_child(ChildSpec(id="first", run=sleeper))
        with pytest.raises(MaxChildren, match="'second' was not started: 1 of 1"):
            supervisor.start_child_nowait(ChildSpec(id="second", run=sleeper))
        await supervisor.stop_child(first)

        await supervisor.start_child(ChildSpec(id="second", run=sleeper))


async def test_a_supervisor_that_is_not_entered_starts_nothing() -> None:
    with pytest.raises(SupervisorNotRunning, match="has not been entered"):
        DynamicSupervisor().start_child_nowait(ChildSpec(id="one", run=sleeper))


async def test_a_supervisor_that_was_left_starts_nothing() -> None:
    async with DynamicSupervisor() as supervisor:
        pass

    with pytest.raises(SupervisorNotRunning, match="is stopping"):
        supervisor.start_child_nowait(ChildSpec(id="one", run=sleeper))


async def test_all_children_are_asked_to_stop_before_any_is_waited_for() -> None:
    log: list[str] = []
    all_asked = anyio.Event()

    async def cleans_up_together() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            log.append("asked")
            if len(log) == 2:
                all_asked.set()
            with anyio.CancelScope(shield=True):
                await all_asked.wait()

    async with DynamicSupervisor() as supervisor:
        for number in range(2):
            await supervisor.start_child(ChildSpec(id=str(number), run=cleans_up_together, shutdown_s=None))

    assert log == ["asked", "asked"]


async def test_6_a_child_that_ignores_its_stop_is_abandoned_after_its_grace_and_the_others_end_in_order() -> None:
    release = anyio.Event()
    exits = Exits()

    async def naughty() -> None:
        with anyio.CancelScope(shield=True):
            await release.wait()

    async with DynamicSupervisor(on_exit=exits) as supervisor:
        await supervisor.start_child(ChildSpec(id="naughty", run=naughty, shutdown_s=0))
        await supervisor.start_child(ChildSpec(id="good", run=sleeper))
        child = supervisor.children[0]

    release.set()
    assert child.state is ChildState.abandoned
    assert isinstance(child.last_exit, Killed)
    assert ("good", "Shutdown", Verdict.end) in exits.seen


async def test_a_child_that_ignores_a_single_stop_is_abandoned_too() -> None:
    release = anyio.Event()

    async def naughty() -> None:
        while not release.is_set():
            with contextlib.suppress(anyio.get_cancelled_exc_class()):
                await release.wait()

    async with DynamicSupervisor() as supervisor:
        child = await supervisor.start_child(ChildSpec(id="naughty", run=naughty, shutdown_s=0))
        await supervisor.stop_child(child)
        release.set()

        assert child.state is ChildState.abandoned


async def test_a_cancellation_that_nobody_asked_for_is_a_crash() -> None:
    exits = Exits()

    async def leaks() -> None:
        with anyio.CancelScope() as scope:
            scope.cancel()
            try:
                await anyio.lowlevel.checkpoint()
            except BaseException as cancelled:
                raise RuntimeError("swallowed on the way") from cancelled

    async with DynamicSupervisor(on_exit=exits) as supervisor:
        child = await supervisor.start_child(ChildSpec(id="one", run=leaks, restart="temporary"))
        await child.wait_ended()

    assert isinstance(child.last_exit, Crashed)


async def test_system_exit_in_a_child_is_a_crash_of_that_child() -> None:
    async def exits() -> None:
        raise SystemExit(3)

    async with DynamicSupervisor() as supervisor:
        child = await supervisor.start_child(ChildSpec(id="one", run=exits, restart="temporary"))
        await child.wait_ended()

    assert isinstance(child.last_exit, Crashed)


async def test_a_child_may_stop_itself_through_its_supervisor() -> None:
    children: list[Child] = []

    async def stops_itself() -> None:
        supervisor.stop_child_nowait(children[0], Normal())
        await anyio.sleep_forever()

    async with DynamicSupervisor() as supervisor:
        children.append(supervisor.start_child_nowait(ChildSpec(id="one", run=stops_itself)))
        await children[0].wait_ended()

    assert children[0].last_exit == Normal()


async def test_leaving_while_cancelled_still_lets_children_clean_up() -> None:
    log: list[str] = []

    async def cleans_up() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.lowlevel.checkpoint()
            log.append("clean")

    with anyio.CancelScope() as scope:
        async with DynamicSupervisor() as supervisor:
            await supervisor.start_child(ChildSpec(id="one", run=cleans_up))
            scope.cancel()
            await anyio.sleep_forever()

    assert log == ["clean"]


async def test_the_tree_shows_each_child_as_a_value() -> None:
    async with DynamicSupervisor() as supervisor:
        await supervisor.start_child(ChildSpec(id="one", run=sleeper))
        tree = supervisor.tree()

    assert [(child.id, child.state, child.incarnation) for child in tree] == [("one", ChildState.running, 1)]


async def test_a_dynamic_supervisor_in_a_tree_is_shown_with_its_children_and_stopped_with_the_tree() -> None:
    log: list[str] = []

    async def work() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            log.append("work ended")

    async def crash() -> None:
        raise KeyError("a bad child")

    pool = DynamicSupervisor(intensity=RestartIntensity(max_restarts=0))
    async with Supervisor([ChildSpec(id="store", run=work), pool.as_child("pool")]) as app:
        await pool.start_child(ChildSpec(id="good", run=work))
        bad = pool.start_child_nowait(ChildSpec(id="bad", run=crash))
        await bad.wait_ended()

        shown = {child.id: child for child in app.tree().children}
        assert shown["pool"].kind is ChildKind.supervisor
        assert shown["pool"].incarnation == 1
        assert [(child.id, child.state) for child in shown["pool"].children] == [("good", ChildState.running)]

    assert log == ["work ended", "work ended"]
    assert app.tree().children[1].children == ()


async def test_a_dynamic_supervisor_that_is_restarted_in_its_tree_has_no_children_and_takes_new_ones() -> None:
    pool = DynamicSupervisor()
    async with Supervisor([pool.as_child("pool")]) as app:
        old = await pool.start_child(ChildSpec(id="old", run=sleeper))
        await app.stop_child("pool")
        with pytest.raises(SupervisorNotRunning):
            pool.start_child_nowait(ChildSpec(id="refused", run=sleeper))
        await app.restart_child("pool")
        await pool.start_child(ChildSpec(id="new", run=sleeper))

        assert old.ended
        assert [child.id for child in app.tree().children[0].children] == ["new"]
