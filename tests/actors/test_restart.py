"""What a crash costs: the message in hand, and nothing else."""

from __future__ import annotations

import anyio
import pytest

from actorflow.actors.actor import Actor
from actorflow.actors.dead_letters import DeadLetterReason
from actorflow.actors.deferred import Deferred
from actorflow.actors.errors import ActorCrashed, ActorNotRunning, SpawnFailed
from actorflow.actors.handler import handler
from actorflow.actors.ref import ActorRef
from actorflow.actors.system import ActorSystem
from actorflow_supervisors.backoff import Backoff
from actorflow_supervisors.exit_reason import Crashed, ExitReason, Shutdown
from actorflow_supervisors.intensity import RestartIntensity
from actorflow_supervisors.tree import ChildState

pytestmark = pytest.mark.anyio

AN_HOUR = Backoff(base_s=3600.0, cap_s=3600.0, jitter=0.0, immediate_first=False)
OFTEN = RestartIntensity(max_restarts=1_000_000, max_seconds=3600.0)
AT_ONCE = Backoff(base_s=1e-9, cap_s=1e-9)


class Ledger(Actor):
    """Appends to a list of the test; crashes over what the test says."""

    def __init__(self, log: list[tuple[int, int]], bad: set[int]) -> None:
        self.log = log
        self.bad = bad
        self.owed: list[Deferred[int]] = []

    @handler
    async def write(self, number: int) -> int:
        if number in self.bad:
            raise ValueError(f"{number} is bad")
        self.log.append((self.context.incarnation, number))
        return number

    @handler(redeliver=2)
    async def write_surely(self, number: int) -> int:
        return await self.write(number)

    @handler(redeliver=1)
    async def write_twice(self, number: int) -> int:
        return await self.write(number)

    @handler
    async def owe(self) -> int:
        later: Deferred[int] = self.context.defer()
        self.owed.append(later)
        return later.hold()

    @handler
    async def pay(self, amount: int) -> int:
        for later in self.owed:
            later.reply(amount)
            later.reply(amount + 1)
        return len(self.owed)

    @handler
    async def refuse(self) -> None:
        for later in self.owed:
            later.fail(LookupError("nothing left"))


async def outcomes_of(ref: ActorRef[Ledger], numbers: range) -> dict[int, str]:
    outcomes: dict[int, str] = {}

    async def ask(number: int) -> None:
        try:
            outcomes[number] = str(await ref.ask(Ledger.write, number))
        except ActorCrashed as error:
            outcomes[number] = f"crashed: {error.error}"

    async with anyio.create_task_group() as group:
        for number in numbers:
            group.start_soon(ask, number)
            await anyio.wait_all_tasks_blocked()
    return outcomes


async def test_2_a_crash_on_message_k_fails_its_asker_and_the_others_are_handled_in_order() -> None:
    log: list[tuple[int, int]] = []

    async with ActorSystem(intensity=OFTEN, backoff=AT_ONCE) as system:
        ledger = system.spawn_nowait(lambda: Ledger(log, {3, 7}))
        for number in range(10):
            ledger.try_tell(Ledger.write, number)
        assert await ledger.ask(Ledger.write, 10) == 10

    assert log == [(1, 0), (1, 1), (1, 2), (2, 4), (2, 5), (2, 6), (3, 8), (3, 9), (3, 10)]


async def test_2_each_asker_of_a_crashing_actor_gets_its_own_outcome() -> None:
    log: list[tuple[int, int]] = []

    async with ActorSystem(intensity=OFTEN, backoff=AT_ONCE) as system:
        ledger = await system.spawn(lambda: Ledger(log, {1}))
        outcomes = await outcomes_of(ledger, range(3))

    assert outcomes == {0: "0", 1: "crashed: 1 is bad", 2: "2"}


async def test_9_the_mailbox_survives_a_second_crash_while_it_is_being_worked_off() -> None:
    log: list[tuple[int, int]] = []

    async with ActorSystem(intensity=OFTEN, backoff=AT_ONCE) as system:
        ledger = system.spawn_nowait(lambda: Ledger(log, {0, 1, 2, 5, 6}))
        for number in range(8):
            ledger.try_tell(Ledger.write, number)
        await ledger.ask(Ledger.write, 8)

    assert [number for _, number in log] == [3, 4, 7, 8]


async def test_9_messages_that_arrive_while_a_restart_is_awaited_are_kept() -> None:
    log: list[tuple[int, int]] = []
    short = Backoff(base_s=1e-3, cap_s=1e-3, jitter=0.0, immediate_first=False)

    async with ActorSystem(intensity=OFTEN, backoff=short) as system:
        ledger = await system.spawn(lambda: Ledger(log, {0}))
        ledger.try_tell(Ledger.write, 0)
        await anyio.lowlevel.checkpoint()
        await ledger.tell(Ledger.write, 1)
        await ledger.ask(Ledger.write, 2)

    assert log == [(2, 1), (2, 2)]


async def test_a_message_that_asks_for_it_is_handled_again_by_the_next_incarnation_before_all_others() -> None:
    log: list[tuple[int, int]] = []
    bad = {0}

    class Mending(Ledger):
        async def stopping(self, reason: ExitReason) -> None:
            bad.clear()

    async with ActorSystem() as system:
        ledger = system.spawn_nowait(lambda: Mending(log, bad))
        ledger.try_tell(Ledger.write_surely, 0)
        ledger.try_tell(Ledger.write, 1)
        assert await ledger.ask(Ledger.write, 2) == 2

    assert log == [(2, 0), (2, 1), (2, 2)]
    assert system.dead_letters.count == 0


async def test_an_ask_that_is_redelivered_has_its_outcome_from_the_next_incarnation() -> None:
    log: list[tuple[int, int]] = []
    bad = {0}

    class Mending(Ledger):
        async def stopping(self, reason: ExitReason) -> None:
            bad.clear()

    async with ActorSystem() as system:
        ledger = await system.spawn(lambda: Mending(log, bad))

        assert await ledger.ask(Ledger.write_surely, 0) == 0


async def test_a_message_is_redelivered_no_more_often_than_it_asks_for() -> None:
    async with ActorSystem(intensity=OFTEN, backoff=AT_ONCE) as system:
        ledger = await system.spawn(lambda: Ledger([], {0}))
        with pytest.raises(ActorCrashed, match="0 is bad"):
            await ledger.ask(Ledger.write_twice, 0)
        await ledger.ask(Ledger.write, 1)

        assert system.tree()[0].incarnation == 3


async def test_19_a_message_that_crashes_thrice_is_quarantined_with_its_tracebacks_and_the_actor_goes_on() -> None:
    log: list[tuple[int, int]] = []

    async with ActorSystem(backoff=AT_ONCE) as system:
        ledger = await system.spawn(lambda: Ledger(log, {0}))
        await ledger.tell(Ledger.write_surely, 0)
        assert await ledger.ask(Ledger.write, 1) == 1

        (letter,) = system.dead_letters.recent
        assert letter.reason is DeadLetterReason.quarantined
        assert [str(error) for error in letter.errors] == ["0 is bad"] * 3
        assert all(error.__traceback__ is not None for error in letter.errors)
        assert system.tree()[0].incarnation == 4


async def test_19_quarantine_gives_the_restart_budget_back() -> None:
    budget = RestartIntensity(max_restarts=3, max_seconds=3600.0)

    async with ActorSystem(intensity=budget, backoff=AT_ONCE) as system:
        ledger = await system.spawn(lambda: Ledger([], {0}))
        for _ in range(4):
            with pytest.raises(ActorCrashed):
                await ledger.ask(Ledger.write_surely, 0)

        assert await ledger.ask(Ledger.write, 1) == 1
        assert system.tree()[0].restarts == 12


async def test_an_actor_that_has_spent_its_budget_gives_up_and_its_messages_are_dead_letters() -> None:
    budget = RestartIntensity(max_restarts=1, max_seconds=3600.0)

    async with ActorSystem(intensity=budget, backoff=AT_ONCE) as system:
        ledger = await system.spawn(lambda: Ledger([], {0}), name="ledger")
        for _ in range(2):
            ledger.try_tell(Ledger.write, 0)
        with pytest.raises(ActorNotRunning, match="'ledger' stopped before it handled the message"):
            await ledger.ask(Ledger.write, 1)
        await anyio.wait_all_tasks_blocked()

        assert system.tree() == ()
        assert system.whereis("ledger") is None


async def test_a_crashing_actor_never_spends_the_budget_of_another() -> None:
    budget = RestartIntensity(max_restarts=1, max_seconds=3600.0)

    async with ActorSystem(intensity=budget, backoff=AT_ONCE) as system:
        bad = await system.spawn(lambda: Ledger([], {0}))
        good = await system.spawn(lambda: Ledger([], {0}))
        for _ in range(3):
            bad.try_tell(Ledger.write, 0)
        await system.down(bad)
        with pytest.raises(ActorCrashed):
            await good.ask(Ledger.write, 0)

        assert await good.ask(Ledger.write, 1) == 1


async def test_an_actor_stopped_while_it_waits_for_its_restart_ends_at_once() -> None:
    async with ActorSystem(backoff=AN_HOUR) as system:
        ledger = await system.spawn(lambda: Ledger([], {0}), name="ledger")
        ledger.try_tell(Ledger.write, 0)
        ledger.try_tell(Ledger.write, 1)
        await anyio.wait_all_tasks_blocked()
        assert system.tree()[0].state is ChildState.backoff
        await system.stop(ledger)

        assert system.tree() == ()
        assert system.whereis("ledger") is None
        assert system.dead_letters.counts == {DeadLetterReason.crashed: 1, DeadLetterReason.stopping: 1}


async def test_a_monitor_set_while_a_restart_is_awaited_is_told_when_that_ends() -> None:
    async with ActorSystem(backoff=AN_HOUR) as system:
        ledger = await system.spawn(lambda: Ledger([], {0}))
        ledger.try_tell(Ledger.write, 0)
        await anyio.wait_all_tasks_blocked()
        downs: list[ExitReason] = []

        async def wait() -> None:
            downs.append((await system.down(ledger)).reason)

        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            await system.stop(ledger, Shutdown("enough"))

    assert downs == [Shutdown("enough")]


async def test_a_restart_whose_start_fails_is_tried_again() -> None:
    fails = [False, True, True, False]

    class Shaky(Ledger):
        async def started(self) -> None:
            if fails.pop(0):
                raise OSError("not yet")

    async with ActorSystem(intensity=OFTEN, backoff=AT_ONCE) as system:
        shaky = await system.spawn(lambda: Shaky([], {0}))
        shaky.try_tell(Ledger.write, 0)

        assert await shaky.ask(Ledger.write, 1) == 1
        assert system.tree()[0].incarnation == 4


async def test_an_error_in_the_stopping_hook_crashes_an_incarnation_that_was_well() -> None:
    class Untidy(Ledger):
        async def stopping(self, reason: ExitReason) -> None:
            raise OSError("disk full")

    async with ActorSystem() as system:
        ref = await system.spawn(lambda: Untidy([], set()), restart="temporary")
        system.stop_nowait(ref)
        down = await system.down(ref)

    assert isinstance(down.reason, Crashed)


async def test_a_deferred_reply_comes_when_it_is_given_and_the_first_one_counts() -> None:
    async with ActorSystem() as system:
        ledger = await system.spawn(lambda: Ledger([], set()))
        got: list[int] = []

        async def ask() -> None:
            got.append(await ledger.ask(Ledger.owe))

        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            assert await ledger.ask(Ledger.pay, 7) == 1

    assert got == [7]


@pytest.mark.parametrize("ends", ["crash", "stop", "fail"])
async def test_a_deferred_reply_that_is_still_owed_has_an_outcome_when_its_incarnation_ends(ends: str) -> None:
    outcomes: list[str] = []

    async with ActorSystem() as system:
        ledger = await system.spawn(lambda: Ledger([], {0}))

        async def ask() -> None:
            try:
                await ledger.ask(Ledger.owe)
            except Exception as error:
                outcomes.append(type(error).__name__)

        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            match ends:
                case "crash":
                    await ledger.tell(Ledger.write, 0)
                case "stop":
                    await system.stop(ledger)
                case _:
                    await ledger.tell(Ledger.refuse)

    assert outcomes == [{"crash": "ActorCrashed", "stop": "ActorNotRunning", "fail": "LookupError"}[ends]]


async def test_deferring_a_told_message_answers_nobody() -> None:
    async with ActorSystem() as system:
        ledger = await system.spawn(lambda: Ledger([], set()))
        await ledger.tell(Ledger.owe)

        assert await ledger.ask(Ledger.pay, 1) == 1


async def test_11_a_child_blocked_in_an_ask_of_its_stopping_parent_gets_an_error_and_the_stop_ends() -> None:
    outcomes: list[str] = []

    class Child(Actor):
        def __init__(self, parent: ActorRef[Parent]) -> None:
            self.parent = parent

        @handler
        async def ask_parent(self) -> None:
            try:
                await self.parent.ask(Parent.hello)
            except ActorNotRunning as error:
                outcomes.append(str(error))

    class Parent(Actor):
        def __init__(self) -> None:
            self.busy = anyio.Event()

        @handler
        async def hello(self) -> None: ...

        @handler
        async def start_child(self) -> None:
            ref: ActorRef[Parent] = self.context.ref
            child = await self.context.spawn(lambda: Child(ref))
            await child.tell(Child.ask_parent)
            await anyio.sleep_forever()

    async with ActorSystem() as system:
        parent = await system.spawn(Parent, name="parent", shutdown_s=None)
        await parent.tell(Parent.start_child)
        await anyio.wait_all_tasks_blocked()
        await system.stop(parent)

    assert outcomes == ["actor 'parent' stopped before it handled the message"]


async def test_a_spawn_by_an_actor_that_is_ending_is_refused() -> None:
    errors: list[str] = []

    class Late(Actor):
        async def stopping(self, reason: ExitReason) -> None:
            try:
                await self.context.spawn(Late)
            except SpawnFailed as error:
                errors.append(str(error))

    async with ActorSystem() as system:
        late = await system.spawn(Late, name="late")
        await system.stop(late)

    assert errors == ["actor 'late' is ending, so it spawns no children"]


async def test_an_actor_that_ignores_its_stop_is_abandoned_and_its_asker_told() -> None:
    release = anyio.Event()
    outcomes: list[str] = []

    class Naughty(Actor):
        @handler
        async def hang(self) -> None:
            with anyio.CancelScope(shield=True):
                while not release.is_set():
                    try:
                        await release.wait()
                    except BaseException:
                        continue

    async def ask(ref: ActorRef[Naughty]) -> None:
        try:
            await ref.ask(Naughty.hang)
        except ActorNotRunning as error:
            outcomes.append(str(error))

    async with ActorSystem() as system, anyio.create_task_group() as group:
        naughty = await system.spawn(Naughty, name="naughty", shutdown_s=0)
        group.start_soon(ask, naughty)
        await anyio.wait_all_tasks_blocked()
        await system.stop(naughty)
        release.set()

    assert outcomes == ["actor 'naughty' was stopped while it handled the message"]
    assert system.whereis("naughty") is None
