"""An actor answers typed messages, one at a time, and tells every asker how its ask ended."""

from __future__ import annotations

from functools import partial

import anyio
import pytest

from actorflow.actors.actor import Actor
from actorflow.actors.dead_letters import DeadLetterReason
from actorflow.actors.errors import (
    ActorCrashed,
    ActorNotRunning,
    ActorRestarting,
    AskTimeout,
    MessageRefused,
    SpawnFailed,
    UnknownHandler,
)
from actorflow.actors.handler import Handler, handler
from actorflow.actors.mailbox import Mailbox
from actorflow.actors.ref import ActorRef
from actorflow.actors.system import ActorSystem
from actorflow_supervisors.backoff import Backoff
from actorflow_supervisors.exit_reason import Crashed, ExitReason, InitFailed, Normal, Shutdown
from actorflow_supervisors.tree import ChildState

pytestmark = pytest.mark.anyio

AN_HOUR = Backoff(base_s=3600.0, cap_s=3600.0, jitter=0.0, immediate_first=False)


class InsufficientFunds(Exception):
    pass


class Counter(Actor):
    def __init__(self, start: int = 0) -> None:
        self.n = start

    @handler
    async def add(self, by: int = 1) -> int:
        self.n += by
        return self.n

    @handler
    async def crash(self, why: str = "boom") -> int:
        raise ValueError(why)

    @handler(raises=(InsufficientFunds,))
    async def take(self, amount: int) -> int:
        if amount > self.n:
            raise InsufficientFunds(f"{self.n} < {amount}")
        self.n -= amount
        return self.n

    @handler(raises=(InsufficientFunds,))
    async def take_in_a_group(self) -> None:
        async def fails() -> None:
            raise InsufficientFunds("inside")

        async with anyio.create_task_group() as group:
            group.start_soon(fails)

    async def hidden(self) -> int:
        return self.n


class Gate(Actor):
    """Handles one message when the test lets it."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.entered = anyio.Event()
        self.open = anyio.Event()

    @handler
    async def wait(self) -> str:
        self.entered.set()
        try:
            await self.open.wait()
        except BaseException as error:
            self.log.append(type(error).__name__)
            raise
        return "through"

    @handler
    async def note(self, word: str) -> list[str]:
        self.log.append(word)
        return self.log


async def test_an_ask_returns_the_reply_and_a_tell_comes_before_a_later_ask() -> None:
    async with ActorSystem() as system:
        counter = await system.spawn(partial(Counter, start=5), name="counter")
        await counter.tell(Counter.add, 2)
        with anyio.fail_after(10):
            n = await counter.ask(Counter.add, by=3)

    assert n == 10


async def test_a_ref_of_a_base_class_reaches_the_override_of_the_actual_class() -> None:
    class Doubler(Counter):
        @handler
        async def add(self, by: int = 1) -> int:
            self.n += 2 * by
            return self.n

    async with ActorSystem() as system:
        ref: ActorRef[Counter] = await system.spawn(Doubler)

        assert await ref.ask(Counter.add, 3) == 6


async def test_a_handler_called_on_an_instance_is_the_plain_method() -> None:
    assert await Counter(1).add(2) == 3


async def test_an_exception_crashes_the_actor_and_the_asker_gets_its_traceback() -> None:
    async with ActorSystem() as system:
        counter = await system.spawn(partial(Counter, 5))
        with pytest.raises(ActorCrashed, match="crashed in crash: ValueError: boom") as caught:
            await counter.ask(Counter.crash)

        assert "in crash" in caught.value.remote_traceback
        assert isinstance(caught.value.__cause__, ValueError)
        assert await counter.ask(Counter.add) == 6
        assert system.tree()[0].incarnation == 2


async def test_a_told_exception_crashes_the_actor_too_and_is_a_dead_letter() -> None:
    async with ActorSystem() as system:
        counter = await system.spawn(Counter)
        await counter.tell(Counter.crash)
        assert await counter.ask(Counter.add) == 1

        assert system.tree()[0].incarnation == 2
        assert [letter.reason for letter in system.dead_letters.recent] == [DeadLetterReason.crashed]


async def test_a_declared_exception_is_the_answer_and_crashes_nobody() -> None:
    async with ActorSystem() as system:
        counter = await system.spawn(partial(Counter, 5))
        with pytest.raises(InsufficientFunds, match="5 < 7"):
            await counter.ask(Counter.take, 7)
        await counter.tell(Counter.take, 7)

        assert await counter.ask(Counter.take, 5) == 0
        assert system.tree()[0].incarnation == 1


async def test_a_declared_exception_inside_a_group_of_one_is_the_answer_too() -> None:
    async with ActorSystem() as system:
        counter = await system.spawn(Counter)
        with pytest.raises(InsufficientFunds, match="inside"):
            await counter.ask(Counter.take_in_a_group)

        assert system.tree()[0].incarnation == 1


async def test_a_message_for_a_handler_the_class_lacks_fails_its_asker_and_crashes_nobody() -> None:
    class Other(Actor):
        @handler
        async def elsewhere(self) -> None: ...

    wrong: Handler[Counter, [], None] = Other.elsewhere  # type: ignore[assignment]  # pyright: ignore
    async with ActorSystem() as system:
        counter = await system.spawn(Counter, name="counter")
        with pytest.raises(UnknownHandler, match="'counter' has no handler 'elsewhere'; it has: add, crash"):
            await counter.ask(wrong)
        await counter.tell(wrong)

        assert await counter.ask(Counter.add) == 1
        assert system.dead_letters.counts == {DeadLetterReason.unknown_handler: 2}


async def test_arguments_that_do_not_fit_fail_their_asker_and_crash_nobody() -> None:
    async with ActorSystem() as system:
        counter = await system.spawn(Counter)
        with pytest.raises(MessageRefused, match="unexpected keyword argument 'buy'"):
            await counter.ask(Counter.add, buy=3)  # type: ignore[call-arg]  # pyright: ignore

        assert await counter.ask(Counter.add) == 1
        assert system.tree()[0].incarnation == 1


async def test_a_type_error_inside_a_handler_is_a_crash() -> None:
    class Faulty(Actor):
        @handler
        async def fail(self) -> None:
            len(5)  # type: ignore[arg-type]  # pyright: ignore

    async with ActorSystem() as system:
        faulty = await system.spawn(Faulty)
        with pytest.raises(ActorCrashed, match="TypeError"):
            await faulty.ask(Faulty.fail)


async def test_an_unmarked_method_is_refused_where_it_is_sent() -> None:
    async with ActorSystem() as system:
        counter = await system.spawn(Counter)
        with pytest.raises(TypeError, match="mark the method with @handler"):
            await counter.ask(Counter.hidden)  # type: ignore[arg-type]  # pyright: ignore
        with pytest.raises(TypeError, match="mark the method with @handler"):
            await counter.tell(Counter.hidden)  # type: ignore[arg-type]  # pyright: ignore
        with pytest.raises(TypeError, match="mark the method with @handler"):
            counter.try_tell(Counter.hidden)  # type: ignore[arg-type]  # pyright: ignore


def test_a_handler_has_to_be_async() -> None:
    with pytest.raises(TypeError, match="write `async def plain`"):

        @handler  # type: ignore[arg-type]  # pyright: ignore
        def plain(self: Actor) -> None: ...


async def test_an_ask_of_a_stopped_actor_fails_at_once_and_a_tell_is_a_dead_letter() -> None:
    async with ActorSystem() as system:
        counter = await system.spawn(Counter, name="counter")
        await system.stop(counter)
        with pytest.raises(ActorNotRunning, match="'counter' is not running"):
            await counter.ask(Counter.add)
        await counter.tell(Counter.add)

        assert not counter.try_tell(Counter.add)
        assert not counter.running
        assert system.dead_letters.counts == {DeadLetterReason.not_running: 3}


async def test_stopping_cancels_the_handler_at_work_and_fails_every_waiting_ask() -> None:
    gate = Gate()
    outcomes: list[str] = []

    async def asks(ref: ActorRef[Gate]) -> None:
        try:
            await ref.ask(Gate.wait)
        except ActorNotRunning as error:
            outcomes.append(str(error))

    async with ActorSystem() as system, anyio.create_task_group() as group:
        ref = await system.spawn(lambda: gate, name="gate")
        group.start_soon(asks, ref)
        await gate.entered.wait()
        group.start_soon(asks, ref)
        await ref.tell(Gate.note, "never")
        await anyio.wait_all_tasks_blocked()
        await system.stop(ref)

    assert sorted(outcomes) == [
        "actor 'gate' stopped before it handled the message",
        "actor 'gate' was stopped while it handled the message",
    ]
    assert len(gate.log) == 1
    assert system.dead_letters.counts == {DeadLetterReason.stopping: 2}


async def test_a_caller_that_is_cancelled_cancels_the_handler_and_the_actor_goes_on() -> None:
    gate = Gate()

    async with ActorSystem() as system:
        ref = await system.spawn(lambda: gate)
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(ref.ask, Gate.wait)
                await gate.entered.wait()
                scope.cancel()

        assert await ref.ask(Gate.note, "still here") == [gate.log[0], "still here"]
        assert "Cancelled" in gate.log[0]
        assert system.tree()[0].incarnation == 1


async def test_a_cancelled_ask_that_still_waits_in_the_mailbox_is_skipped() -> None:
    gate = Gate()

    async with ActorSystem() as system, anyio.create_task_group() as group:
        ref = await system.spawn(lambda: gate)
        group.start_soon(ref.ask, Gate.wait)
        await gate.entered.wait()
        with anyio.move_on_after(0):
            await ref.ask(Gate.note, "skipped")
        gate.open.set()

        assert await ref.ask(Gate.note, "handled") == ["handled"]


async def test_a_timeout_of_the_callers_scope_names_the_actors_that_waited() -> None:
    gate = Gate()

    async with ActorSystem() as system:
        ref = await system.spawn(lambda: gate, name="gate")
        with pytest.raises(TimeoutError) as caught:
            with anyio.fail_after(0):
                await ref.ask(Gate.wait)

    assert caught.value.__context__ is not None
    assert caught.value.__context__.__notes__ == ["while waiting for wait of gate"]


async def test_an_ask_without_a_deadline_ends_by_the_systems_default() -> None:
    gate = Gate()

    async with ActorSystem(ask_timeout_s=1e-3) as system:
        ref = await system.spawn(lambda: gate, name="gate")
        with pytest.raises(AskTimeout, match=r"no reply to wait from 'gate': the system's ask_timeout_s of 0.001 s"):
            await ref.ask(Gate.wait)

        assert await ref.ask(Gate.note, "free again") == [gate.log[0], "free again"]


async def test_an_ask_that_would_not_wait_for_a_restart_says_so() -> None:
    async with ActorSystem(backoff=AN_HOUR) as system:
        counter = await system.spawn(Counter, name="counter")
        with pytest.raises(ActorCrashed):
            await counter.ask(Counter.crash)
        await anyio.wait_all_tasks_blocked()

        assert system.tree()[0].state is ChildState.backoff
        with pytest.raises(ActorRestarting, match="'counter' is restarting"):
            await counter.options(on_restarting="fail").ask(Counter.add)


async def test_an_impatient_ask_in_the_mailbox_of_a_crashing_actor_fails_and_a_patient_one_waits() -> None:
    outcomes: list[str] = []

    async def asks(ref: ActorRef[Counter]) -> None:
        try:
            outcomes.append(str(await ref.ask(Counter.add)))
        except ActorRestarting:
            outcomes.append("restarting")

    crash = anyio.Event()

    class CrashesLater(Counter):
        @handler
        async def crash_later(self) -> None:
            await crash.wait()
            raise ValueError("now")

    async with ActorSystem() as system, anyio.create_task_group() as group:
        counter = await system.spawn(CrashesLater)
        await counter.tell(CrashesLater.crash_later)
        group.start_soon(asks, counter)
        group.start_soon(asks, counter.options(on_restarting="fail"))
        await anyio.wait_all_tasks_blocked()
        crash.set()

    assert sorted(outcomes) == ["1", "restarting"]


async def test_a_spawn_returns_only_after_started_and_raises_what_stopped_it() -> None:
    log: list[str] = []

    class Slow(Actor):
        async def started(self) -> None:
            await anyio.lowlevel.checkpoint()
            log.append(self.context.path)

    class Broken(Actor):
        async def started(self) -> None:
            raise ValueError("no licence")

    async with ActorSystem() as system:
        await system.spawn(Slow, name="slow")
        assert log == ["slow"]
        with pytest.raises(SpawnFailed, match="'broken' did not start: no licence") as caught:
            await system.spawn(Broken, name="broken")

        assert isinstance(caught.value.__cause__, ValueError)
        assert system.whereis("broken") is None


async def test_an_actor_whose_constructor_fails_is_not_started() -> None:
    def make() -> Counter:
        raise ValueError("bad configuration")

    async with ActorSystem() as system:
        with pytest.raises(SpawnFailed, match="bad configuration"):
            await system.spawn(make)


async def test_messages_to_an_actor_that_is_not_up_yet_wait_for_it() -> None:
    async with ActorSystem() as system:
        counter = system.spawn_nowait(Counter)
        assert counter.try_tell(Counter.add, 2)

        assert await counter.ask(Counter.add) == 3


async def test_the_reasons_of_every_end_reach_the_stopping_hook() -> None:
    reasons: list[ExitReason] = []

    class Leaver(Counter):
        async def stopping(self, reason: ExitReason) -> None:
            reasons.append(reason)

        @handler
        async def leave(self) -> str:
            self.context.stop()
            return "bye"

    async with ActorSystem() as system:
        leaver = await system.spawn(Leaver, restart="transient")
        with pytest.raises(ActorCrashed):
            await leaver.ask(Leaver.crash)
        assert await leaver.ask(Leaver.leave) == "bye"
        other = await system.spawn(Leaver)
        await system.stop(other, Shutdown("enough"))
        await system.spawn(Leaver)

    assert isinstance(reasons[0], Crashed)
    assert reasons[1:] == [Normal(), Shutdown("enough"), Shutdown("system")]


async def test_an_actor_that_leaves_is_restarted_only_if_it_is_permanent() -> None:
    class Leaver(Counter):
        @handler
        async def leave(self) -> None:
            self.context.stop()

    async with ActorSystem() as system:
        permanent = await system.spawn(Leaver)
        temporary = await system.spawn(Leaver, restart="temporary")
        await permanent.ask(Leaver.leave)
        await temporary.ask(Leaver.leave)

        assert await permanent.ask(Counter.add) == 1
        with pytest.raises(ActorNotRunning):
            await temporary.ask(Counter.add)


async def test_children_are_stopped_with_their_parent_and_before_its_own_hook() -> None:
    log: list[str] = []

    class Child(Actor):
        async def stopping(self, reason: ExitReason) -> None:
            log.append(f"child {reason}")

    class Parent(Actor):
        async def started(self) -> None:
            await self.context.spawn(Child, name="child")

        async def stopping(self, reason: ExitReason) -> None:
            log.append(f"parent {reason}")

    async with ActorSystem() as system:
        parent = await system.spawn(Parent, name="parent")
        assert system.whereis("parent/child") is not None
        await system.stop(parent)

        assert log == ["child Shutdown(detail='parent')", "parent Shutdown(detail='')"]
        assert system.whereis("parent/child") is None


async def test_a_restarted_parent_has_new_children() -> None:
    class Parent(Counter):
        async def started(self) -> None:
            await self.context.spawn(Counter, name="child")

    async with ActorSystem() as system:
        parent = await system.spawn(Parent, name="parent")
        old = system.whereis("parent/child")
        with pytest.raises(ActorCrashed):
            await parent.ask(Counter.crash)
        await parent.ask(Counter.add)

        assert old is not None
        assert not old.running
        assert [child.path for child in system.tree()[0].children] == ["parent/child"]


async def test_an_actor_cannot_wait_for_its_own_end() -> None:
    class Suicidal(Actor):
        @handler(raises=(RuntimeError,))
        async def die(self) -> None:
            await self.context.system.stop(self.context.ref)

    async with ActorSystem() as system:
        ref = await system.spawn(Suicidal)
        with pytest.raises(RuntimeError, match=r"call self\.context\.stop"):
            await ref.ask(Suicidal.die)


async def test_the_tree_shows_what_each_actor_is_doing() -> None:
    gate = Gate()

    async with ActorSystem(mailbox=Mailbox(7)) as system, anyio.create_task_group() as group:
        ref = await system.spawn(lambda: gate, name="gate")
        await ref.ask(Gate.note, "one")
        group.start_soon(ref.ask, Gate.wait)
        await gate.entered.wait()
        await ref.tell(Gate.note, "two")

        (tree,) = system.tree()
        assert (tree.path, tree.state, tree.incarnation, tree.restarts) == ("gate", ChildState.running, 1, 0)
        assert (tree.queued_messages, tree.capacity, tree.handled_messages) == (1, 7, 1)
        assert tree.current_handler == "wait"
        assert tree.last_exit is None
        gate.open.set()


async def test_a_failed_start_is_the_reason_of_the_down() -> None:
    def make() -> Counter:
        raise ValueError("bad configuration")

    async with ActorSystem() as system:
        ref = system.spawn_nowait(make)
        down = await system.down(ref)

    assert isinstance(down.reason, InitFailed)


async def test_a_context_is_not_there_before_the_system_gives_it() -> None:
    with pytest.raises(RuntimeError, match="Counter has no context"):
        _ = Counter().context


async def test_leaving_the_system_while_cancelled_still_runs_every_stopping_hook() -> None:
    log: list[str] = []

    class Tidy(Actor):
        async def stopping(self, reason: ExitReason) -> None:
            await anyio.lowlevel.checkpoint()
            log.append("tidy")

    with anyio.CancelScope() as scope:
        async with ActorSystem() as system:
            await system.spawn(Tidy)
            scope.cancel()
            await anyio.sleep_forever()

    assert log == ["tidy"]
