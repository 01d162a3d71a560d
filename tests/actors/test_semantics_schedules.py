"""What docs/semantics.md says of any order of events: one outcome for each ask, nothing left, the same log again."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from random import Random

import anyio
import pytest

from actorflow.actors.actor import Actor
from actorflow.actors.deferred import Deferred
from actorflow.actors.errors import ActorCrashed, ActorError, AskCycle, AskTimeout
from actorflow.actors.handler import handler
from actorflow.actors.mailbox import Mailbox, Overflow
from actorflow.actors.monitor import Down
from actorflow.actors.ref import ActorRef
from actorflow.actors.system import ActorSystem
from actorflow.testing.clock import Backend, virtual_backend
from actorflow_supervisors.backoff import Backoff
from actorflow_supervisors.exit_reason import ExitReason, describe
from actorflow_supervisors.intensity import RestartIntensity
from actorflow_supervisors.policy import Restart

SCHEDULES = 150
"""For each loop in the quick run; ACTORFLOW_TEST_SCALE multiplies it."""

QUICK = Backoff(base_s=0.01, cap_s=0.1)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Backend:
    return virtual_backend(request.param)


class Chaotic(Actor):
    """Ends asks in every way that there is."""

    def __init__(self) -> None:
        self.owed: list[Deferred[str]] = []

    @handler
    async def reply(self) -> str:
        return "reply"

    @handler
    async def dawdle(self, turns: int) -> str:
        await turn(turns)
        return "reply"

    @handler
    async def crash(self) -> str:
        raise ValueError("boom")

    @handler(redeliver=1)
    async def crash_often(self) -> str:
        raise ValueError("boom again")

    @handler
    async def leave(self) -> str:
        self.context.stop()
        return "bye"

    @handler
    async def defer(self) -> str:
        later: Deferred[str] = self.context.defer()
        self.owed.append(later)
        return later.hold()

    @handler
    async def settle(self) -> str:
        while self.owed:
            self.owed.pop().reply("late reply")
        return "settled"

    @handler(raises=(ActorError,))
    async def relay(self, other: ActorRef[Chaotic]) -> str:
        return await other.ask(Chaotic.dawdle, 2)

    @handler(raises=(ActorError,))
    async def relay_back(self, other: ActorRef[Chaotic], back: ActorRef[Chaotic]) -> str:
        return await other.ask(Chaotic.relay, back)


async def turn(times: int) -> None:
    for _ in range(times):
        await anyio.lowlevel.checkpoint()


@dataclass
class Schedule:
    """One random order of asks, tells and stops; every ask files its outcome."""

    rng: Random
    asked: int = 0
    outcomes: list[str] = field(default_factory=list[str])
    left: int = 0

    async def run(self) -> None:
        tasks_before = len(anyio.get_running_tasks())
        intensity = RestartIntensity(max_restarts=self.rng.choice((1, 100)), max_seconds=1.0)
        async with ActorSystem(intensity=intensity, backoff=QUICK, rng=self.rng) as system:
            refs = [await self._spawn(system) for _ in range(3)]
            async with anyio.create_task_group() as group:
                for _ in range(self.rng.randint(5, 25)):
                    group.start_soon(self._act, system, refs, self.rng.randint(0, 9), self.rng.randint(0, 30))
                await turn(60)
                await anyio.sleep(1)
                for ref in refs:
                    await system.stop(ref)
            self.left += len(system.cells)
        await turn(3)  # cancelled timers of trio are tasks that still have to end
        self.left += len(anyio.get_running_tasks()) - tasks_before

    async def _spawn(self, system: ActorSystem) -> ActorRef[Chaotic]:
        mailbox = Mailbox(self.rng.randint(1, 5), self.rng.choice(list(Overflow)))
        return await system.spawn(Chaotic, restart=self.rng.choice(list(Restart)), mailbox=mailbox)

    async def _act(self, system: ActorSystem, refs: list[ActorRef[Chaotic]], kind: int, turns: int) -> None:
        one, two, three = self.rng.sample(refs, 3)
        await turn(turns)
        if kind == 0:
            await system.stop(one)
            return
        self.asked += 1
        try:
            self.outcomes.append(await self._ask(one, two, three, kind))
        except ActorError as error:
            self.outcomes.append(type(error).__name__)

    async def _ask(self, one: ActorRef[Chaotic], two: ActorRef[Chaotic], three: ActorRef[Chaotic], kind: int) -> str:
        match kind:
            case 1:
                return await one.ask(Chaotic.crash)
            case 2:
                return await one.ask(Chaotic.crash_often)
            case 3:
                return await one.ask(Chaotic.leave)
            case 4:
                return await one.ask(Chaotic.defer)
            case 5:
                return await one.ask(Chaotic.settle)
            case 6:
                return await one.ask(Chaotic.relay_back, two, three if self.rng.random() < 0.5 else one)
            case 7:
                return await one.options(on_restarting="fail").ask(Chaotic.dawdle, 3)
            case _:
                return await one.ask(Chaotic.dawdle, 5)


@pytest.mark.anyio
async def test_1_in_every_random_order_each_ask_has_one_outcome_and_nothing_is_left(scale: int) -> None:
    seen: Counter[str] = Counter()
    for seed in range(SCHEDULES * scale):
        schedule = Schedule(Random(seed))
        await schedule.run()
        assert (len(schedule.outcomes), schedule.left) == (schedule.asked, 0), f"seed {seed}"
        # The time is virtual: an ask that nobody answered would end by the system's default timeout.
        assert AskTimeout.__name__ not in schedule.outcomes, f"seed {seed}"
        seen.update(schedule.outcomes)

    expected = {"reply", "settled", "late reply", "bye", "ActorCrashed", "ActorNotRunning", "AskCycle", "MailboxFull"}
    assert expected <= seen.keys()


class Teller(Actor):
    """Writes down what happens to it."""

    def __init__(self, log: list[str]) -> None:
        self.log = log

    def say(self, words: str) -> None:
        self.log.append(f"{anyio.current_time():.6f} {self.context.path}#{self.context.incarnation} {words}")

    async def started(self) -> None:
        self.say("started")
        if self.context.path == "parent":
            await self.context.spawn(partial(Teller, self.log), name="child")

    async def stopping(self, reason: ExitReason) -> None:
        self.say(f"stopping: {describe(reason)}")

    async def down(self, down: Down) -> None:
        self.say(f"down of {down.ref.path}#{down.incarnation}: {describe(down.reason)}")

    @handler
    async def watch(self, ref: ActorRef[Teller]) -> None:
        self.context.monitor(ref)

    @handler
    async def note(self, word: str) -> None:
        self.say(word)

    @handler
    async def crash(self) -> None:
        raise ValueError("boom")

    @handler(raises=(AskCycle,))
    async def relay(self, then: tuple[ActorRef[Teller], ...]) -> str:
        return await then[0].ask(Teller.relay, then[1:]) if then else self.context.path


async def scenario(seed: int) -> list[str]:
    """One after the other, each thing that this file's promises are about; what the actors saw, then the askers."""
    log: list[str] = []
    outcomes: list[str] = []
    backoff = Backoff(base_s=3600.0, cap_s=7200.0, immediate_first=False)
    async with ActorSystem(rng=Random(seed), backoff=backoff, ask_timeout_s=None) as system:
        parent = await system.spawn(partial(Teller, log), name="parent")
        watcher = await system.spawn(partial(Teller, log), name="watcher")
        await watcher.ask(Teller.watch, parent)
        await parent.tell(Teller.note, "hello")
        with pytest.raises(ActorCrashed) as crash:
            await parent.ask(Teller.crash)
        with pytest.raises(AskCycle) as cycle:
            await parent.ask(Teller.relay, (watcher, parent))
        outcomes += [str(crash.value), str(cycle.value)]
        await system.stop(parent)
        await parent.tell(Teller.note, "too late")
        outcomes += [f"{letter.actor} {letter.handler} {letter.reason}" for letter in system.dead_letters.recent]
    return [*log, *outcomes]


def on_a_virtual_loop(name: str, seed: int) -> list[str]:
    backend, options = virtual_backend(name)
    return anyio.run(scenario, seed, backend=backend, backend_options=options)


def test_22_one_scenario_writes_the_same_log_on_asyncio_and_on_trio() -> None:
    log = on_a_virtual_loop("asyncio", 7)

    assert log == on_a_virtual_loop("trio", 7)
    assert [line.partition(" ")[2] for line in log if line[0].isdigit()] == [
        "parent#1 started",
        "parent/child#1 started",
        "watcher#1 started",
        "parent#1 hello",
        "parent/child#1 stopping: shutdown (parent)",
        "parent#1 stopping: crashed: ValueError: boom",
        "watcher#1 down of parent#1: crashed: ValueError: boom",
        "parent#2 started",
        "parent/child#1 started",
        "parent/child#1 stopping: shutdown (parent)",
        "parent#2 stopping: shutdown",
        "watcher#1 stopping: shutdown (system)",
    ]


@pytest.mark.parametrize("name", ["asyncio", "trio"])
def test_23_the_same_seed_writes_the_same_log_twice_and_another_seed_another(name: str) -> None:
    first, second, other = (on_a_virtual_loop(name, seed) for seed in (7, 7, 8))

    assert "\n".join(first).encode() == "\n".join(second).encode()
    assert first != other
