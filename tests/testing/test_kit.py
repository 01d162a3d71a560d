"""The kit: crashes where the test says, time that it moves, probes, and a log of it all."""

from __future__ import annotations

from functools import partial

import anyio
import anyio.lowlevel
import pytest

from actorflow.actors.actor import Actor
from actorflow.actors.errors import ActorCrashed, ActorNotRunning, MessageRefused
from actorflow.actors.handler import handler
from actorflow.actors.ref import ActorRef
from actorflow.testing import EventKind, InjectedCrash, TestKit, VirtualTimeError, run_virtual
from actorflow.testing.clock import LoopName
from actorflow_supervisors.backoff import Backoff
from actorflow_supervisors.exit_reason import Crashed, ExitReason, InitFailed, Shutdown

pytestmark = pytest.mark.anyio

AT_ONCE = Backoff(base_s=0.01)


class Screen(Actor):
    @handler
    async def show(self, line: str) -> None: ...

    @handler
    async def width(self) -> int:
        return 80


class Counter(Actor):
    """Counts, shows what it counts, and says what happens to it."""

    def __init__(self, screen: ActorRef[Screen] | None = None, slow_start_s: float = 0.0) -> None:
        self.n = 0
        self.screen = screen
        self.slow_start_s = slow_start_s

    async def started(self) -> None:
        await anyio.sleep(self.slow_start_s)

    async def stopping(self, reason: ExitReason) -> None:
        if self.screen is not None:
            await self.screen.tell(Screen.show, "bye")

    @handler
    async def add(self, by: int = 1) -> int:
        self.n += by
        return self.n

    @handler(redeliver=1)
    async def add_surely(self, by: int) -> int:
        return await self.add(by)

    @handler
    async def show(self) -> None:
        assert self.screen is not None
        await self.screen.tell(Screen.show, f"n = {self.n}")

    @handler
    async def fit(self) -> int:
        assert self.screen is not None
        return self.n % await self.screen.ask(Screen.width)

    @handler
    async def slowly(self, steps: int) -> int:
        for _ in range(steps):
            await anyio.sleep(1)
            self.n += 1
        return self.n

    @handler
    async def crash_me(self, kit: TestKit) -> None:
        await kit.crash(self.context.ref)


# Crashes


async def test_an_idle_actor_crashes_and_its_supervisor_restarts_it() -> None:
    async with TestKit() as kit:
        counter = await kit.spawn(Counter)
        await counter.ask(Counter.add, 5)
        error = ValueError("boom")

        down = await kit.crash(counter, error)

        assert (down.reason, down.incarnation) == (Crashed(error), 1)
        assert await counter.ask(Counter.add) == 1


async def test_a_crash_in_the_midst_of_a_message_reaches_its_asker_and_runs_the_hook() -> None:
    async with TestKit() as kit, anyio.create_task_group() as tasks:
        screen = kit.probe(Screen)
        counter = await kit.spawn(partial(Counter, screen))
        outcomes: list[ActorCrashed] = []

        async def ask() -> None:
            with pytest.raises(ActorCrashed) as caught:
                await counter.ask(Counter.slowly, 10)
            outcomes.append(caught.value)

        tasks.start_soon(ask)
        await kit.advance(3.5)
        down = await kit.crash(counter)
        await screen.expect(lambda received: received.args == ("bye",))
        await kit.settle()

        assert isinstance(down.reason, Crashed)
        assert [(type(one.error), one.handler) for one in outcomes] == [(InjectedCrash, "slowly")]


async def test_messages_behind_a_crash_are_kept() -> None:
    async with TestKit() as kit:
        counter = await kit.spawn(Counter)
        await counter.tell(Counter.slowly, 10)
        await counter.tell(Counter.add, 7)
        await kit.settle()

        await kit.crash(counter)

        assert await counter.ask(Counter.add, 0) == 7


async def test_a_crash_at_the_kth_message_comes_before_its_handler_runs() -> None:
    async with TestKit(backoff=AT_ONCE) as kit:
        counter = await kit.spawn(Counter)
        kit.crash_at_message(counter, 3, LookupError("third"))

        assert [await counter.ask(Counter.add) for _ in range(2)] == [1, 2]
        with pytest.raises(ActorCrashed, match="LookupError: third"):
            await counter.ask(Counter.add)
        assert [await counter.ask(Counter.add) for _ in range(4)] == [1, 2, 3, 4]


async def test_a_message_that_is_to_be_redelivered_survives_an_injected_crash() -> None:
    async with TestKit(backoff=AT_ONCE) as kit:
        counter = await kit.spawn(Counter)
        kit.crash_at_message(counter, 1)

        assert await counter.ask(Counter.add_surely, 4) == 4
        assert [str(event.kind) for event in kit.log].count("crash_injected") == 1


async def test_crashes_planned_by_path_wait_for_an_actor_that_is_not_spawned_yet() -> None:
    async with TestKit(backoff=AT_ONCE) as kit:
        for _ in range(2):
            kit.crash_at_message("late", 1)
        counter = await kit.spawn(Counter, name="late")

        with pytest.raises(ActorCrashed):
            await counter.ask(Counter.add)
        assert await counter.ask(Counter.add) == 1


@pytest.mark.parametrize("checkpoint", [1, 2, 5])
async def test_a_crash_at_the_kth_checkpoint_leaves_the_work_of_those_before(checkpoint: int) -> None:
    done: list[int] = []

    class Walker(Actor):
        @handler
        async def walk(self) -> str:
            for step in range(5):
                done.append(step)
                await anyio.lowlevel.checkpoint()
            return "arrived"

    async with TestKit() as kit:
        walker = await kit.spawn(Walker)
        kit.crash_at_checkpoint(walker, checkpoint, OSError("gone"))
        with pytest.raises(ActorCrashed, match="OSError: gone"):
            await walker.ask(Walker.walk)
        first, done = done, []

        assert await walker.ask(Walker.walk) == "arrived"

    assert first == list(range(checkpoint))
    assert done == list(range(5))


async def test_a_crash_while_the_actor_starts_is_a_failed_start() -> None:
    async with TestKit() as kit:
        counter = kit.system.spawn_nowait(partial(Counter, slow_start_s=60))
        await kit.settle()

        down = await kit.crash(counter)

        assert isinstance(down.reason, InitFailed)
        with pytest.raises(ActorNotRunning):
            await counter.ask(Counter.add)


async def test_an_actor_that_is_not_up_cannot_be_crashed() -> None:
    async with TestKit(backoff=Backoff(base_s=30, immediate_first=False)) as kit:
        counter = await kit.spawn(Counter, name="counter")
        await kit.crash(counter)
        with pytest.raises(RuntimeError, match="actor 'counter' is backoff, so there is nothing to crash"):
            await kit.crash(counter)
        await kit.system.stop(counter)
        with pytest.raises(RuntimeError, match="actor 'counter' is stopped"):
            await kit.crash(counter)


async def test_an_actor_cannot_crash_itself_through_the_kit() -> None:
    async with TestKit() as kit:
        counter = await kit.spawn(Counter, name="counter")

        with pytest.raises(ActorCrashed, match="cannot be crashed from its own handler; raise the error there"):
            await counter.ask(Counter.crash_me, kit)


@pytest.mark.parametrize("number", [0, -1])
async def test_messages_are_counted_from_one(number: int) -> None:
    async with TestKit() as kit:
        with pytest.raises(ValueError, match="counted from 1"):
            kit.crash_at_message("counter", number)


async def test_an_actor_of_another_system_is_refused() -> None:
    async with TestKit() as kit, TestKit() as other:
        counter = await other.spawn(Counter)

        with pytest.raises(ValueError, match="another system"):
            await kit.crash(counter)


async def test_arguments_that_do_not_fit_crash_nobody_in_a_kit_either() -> None:
    async with TestKit() as kit:
        counter = await kit.spawn(Counter)

        with pytest.raises(MessageRefused, match="arguments do not fit add"):
            await counter.ask(Counter.add, 1, 2, 3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
        assert await counter.ask(Counter.add) == 1


# Time


async def test_advancing_fires_what_is_due_and_no_more() -> None:
    async with TestKit() as kit:
        counter = await kit.spawn(Counter)
        await counter.tell(Counter.slowly, 10)

        await kit.advance(4.5)
        depth = kit.system.tree()[0].current_handler
        await kit.advance(6)

        assert depth == "slowly"
        assert await counter.ask(Counter.add, 0) == 10


async def test_time_does_not_go_back() -> None:
    async with TestKit() as kit:
        with pytest.raises(ValueError, match="cannot go back by 3 s"):
            await kit.advance(-3)


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_a_kit_on_real_time_is_refused() -> None:
    with pytest.raises(VirtualTimeError, match="this loop is on real time: run it by run_virtual"):
        async with TestKit():
            raise AssertionError("the kit was entered")


# Probes


async def test_a_probe_is_told_and_asked_like_the_actor_it_stands_for() -> None:
    async with TestKit() as kit, anyio.create_task_group() as tasks:
        screen = kit.probe(Screen)
        counter = await kit.spawn(partial(Counter, screen))
        answers: list[int] = []

        async def ask() -> None:
            answers.append(await counter.ask(Counter.fit))

        await counter.ask(Counter.add, 100)
        await counter.ask(Counter.show)
        tasks.start_soon(ask)
        width = await screen.expect(Screen.width)
        width.reply(30)
        shown = await screen.expect("show")
        await screen.expect_nothing()

        assert (width.is_ask, shown.is_ask) == (True, False)
        assert (shown.args, str(shown)) == (("n = 100",), "show('n = 100')")
        assert answers == [10]
        assert [received.handler for received in screen.received] == ["show", "width"]


async def test_a_probe_fails_an_ask_with_an_error_of_the_tests_choice() -> None:
    async with TestKit() as kit, anyio.create_task_group() as tasks:
        screen = kit.probe(Screen)

        async def ask() -> None:
            with pytest.raises(OSError, match="unplugged"):
                await screen.ask(Screen.width)

        tasks.start_soon(ask)
        (await screen.expect(Screen.width)).fail(OSError("unplugged"))


@pytest.mark.parametrize("strict", [False, True])
async def test_a_standing_answer_serves_every_ask(strict: bool) -> None:
    async with TestKit(strict=strict) as kit:
        screen = kit.probe(Screen)
        screen.answer(Screen.width, 40)

        assert [await screen.ask(Screen.width) for _ in range(3)] == [40, 40, 40]


async def test_a_probe_takes_names_that_no_class_declares() -> None:
    async with TestKit() as kit:
        probe = kit.probe()
        await probe.tell(Screen.show, line="x")
        await probe.tell(Counter.add, 2)

        assert (await probe.expect("add")).args == (2,)
        assert (await probe.expect()).kwargs == {"line": "x"}


async def test_what_does_not_come_in_time_is_an_error_that_tells_what_came() -> None:
    async with TestKit() as kit:
        screen = kit.probe(Screen, name="screen")
        await screen.tell(Screen.show, "hello")

        with pytest.raises(AssertionError, match=r"screen received no 'width' within 5 s; unexpected so far: show\('h"):
            await screen.expect(Screen.width, within_s=5)


async def test_a_message_that_nobody_expected_is_an_error() -> None:
    async with TestKit() as kit:
        screen = kit.probe(Screen, name="screen")
        await screen.tell(Screen.show, "hello")

        with pytest.raises(AssertionError, match=r"screen received what nobody expected: show\('hello'\)"):
            await screen.expect_nothing()


async def test_a_probe_sees_the_end_of_an_actor_it_watches() -> None:
    async with TestKit() as kit:
        counter = await kit.spawn(Counter)
        probe = kit.probe()
        probe.watch(counter)

        await kit.system.stop(counter, Shutdown("enough"))

        down = (await probe.expect("down")).args[0]
        assert (down.ref, down.reason) == (counter, Shutdown("enough"))
        await probe.expect_nothing()


async def test_a_planned_crash_of_a_probe_is_refused() -> None:
    async with TestKit() as kit:
        with pytest.raises(TypeError, match="is a probe, which takes every message"):
            kit.crash_at_message(kit.probe(), 1)


async def test_an_ask_that_a_probe_never_answers_ends_with_the_kit() -> None:
    outcomes: list[str] = []

    async def ask(screen: ActorRef[Screen]) -> None:
        try:
            await screen.ask(Screen.width)
        except ActorNotRunning as error:
            outcomes.append(str(error))

    async with anyio.create_task_group() as tasks, TestKit() as kit:
        screen = kit.probe(Screen, name="screen")
        tasks.start_soon(ask, screen)
        await screen.expect(Screen.width)

    assert outcomes == ["actor 'screen' ended before it gave its deferred reply"]


# The log, and what is left


async def test_the_log_tells_each_life_from_start_to_end() -> None:
    async with TestKit(backoff=Backoff(base_s=30, immediate_first=False, jitter=0)) as kit:
        counter = await kit.spawn(Counter, name="counter")
        await counter.ask(Counter.add)
        kit.note("now the crash")
        await kit.crash(counter, ValueError("boom"))
        await counter.ask(Counter.add)
        await kit.system.stop(counter)
        await counter.tell(Counter.add)

        assert kit.log_text.splitlines() == [
            "0.000000 counter#1 started",
            "0.000000 counter#1 handling add",
            "0.000000 note now the crash",
            "0.000000 counter#1 crash_injected ValueError: boom",
            "0.000000 counter#1 ended crashed: ValueError: boom; restart",
            "30.000000 counter#2 started",
            "30.000000 counter#2 handling add",
            "30.000000 counter#2 ended shutdown; end",
            "30.000000 counter#2 gone",
            "30.000000 counter dead_letter add not_running",
        ]
        assert kit.log[5].kind is EventKind.started


async def test_nothing_is_left_after_a_kit_and_what_is_left_has_its_name() -> None:
    tidy, untidy = TestKit(), TestKit()

    async with anyio.create_task_group() as tasks:
        async with tidy:
            await tidy.spawn(Counter)
        async with untidy:
            tasks.start_soon(anyio.Event().wait, name="forgotten")
        tasks.cancel_scope.cancel()

    assert tidy.left == ()
    assert untidy.left == ("forgotten",)


# Seeds


def test_an_error_in_a_kit_tells_the_seed_once(loop: LoopName) -> None:
    async def fail() -> None:
        async with TestKit():
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine") as caught:
        run_virtual(fail, backend=loop, seed=99)

    assert [note.partition(" (")[0] for note in caught.value.__notes__] == [f"seed 99 on {loop}"]


def test_a_kit_without_a_seed_takes_that_of_the_run(loop: LoopName) -> None:
    async def seeds() -> tuple[int, float]:
        async with TestKit() as kit:
            return kit.seed, kit.rng.random()

    first, second = run_virtual(seeds, backend=loop, seed=99), run_virtual(seeds, backend=loop, seed=99)

    assert first == second
    assert first[0] == 99
