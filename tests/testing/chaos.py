"""Random schedules of crashes, stops and asks, one for each seed; every ask files each outcome that it has."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial

import anyio
import anyio.lowlevel

from actorflow.actors.actor import Actor
from actorflow.actors.deferred import Deferred
from actorflow.actors.errors import ActorError
from actorflow.actors.handler import handler
from actorflow.actors.mailbox import Mailbox, Overflow
from actorflow.actors.ref import ActorRef
from actorflow.testing import TestKit
from actorflow_supervisors.backoff import Backoff
from actorflow_supervisors.intensity import RestartIntensity
from actorflow_supervisors.policy import Restart

QUICK = Backoff(base_s=0.01, cap_s=0.1)


class Chaotic(Actor):
    """Ends asks in every way that there is; with `depth` it has a child."""

    def __init__(self, depth: int = 0) -> None:
        self.depth = depth
        self.owed: list[Deferred[str]] = []

    async def started(self) -> None:
        if self.depth:
            await self.context.spawn(partial(Chaotic, self.depth - 1), name="child")

    @handler
    async def reply(self) -> str:
        return "reply"

    @handler
    async def dawdle(self, turns: int) -> str:
        await turn(turns)
        return "reply"

    @handler(redeliver=1)
    async def dawdle_surely(self, turns: int) -> str:
        await turn(turns)
        return "reply"

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
    async def pay(self) -> str:
        while self.owed:
            self.owed.pop().reply("late reply")
        return "paid"

    @handler(raises=(ActorError,))
    async def relay(self, path: tuple[ActorRef[Chaotic], ...]) -> str:
        await turn(1)
        return await path[0].ask(Chaotic.relay, path[1:]) if path else "relayed"


async def turn(times: int) -> None:
    for _ in range(times):
        await anyio.lowlevel.checkpoint()


@dataclass
class Schedule:
    """One random order of things; `outcomes` has a list for each ask."""

    kit: TestKit
    refs: list[ActorRef[Chaotic]] = field(default_factory=list[ActorRef[Chaotic]])
    outcomes: list[list[str]] = field(default_factory=list[list[str]])

    async def run(self) -> None:
        rng = self.kit.rng
        self.refs += [await self._spawn() for _ in range(3)]
        async with anyio.create_task_group() as group:
            for _ in range(rng.randint(5, 25)):
                group.start_soon(self._act, rng.randint(0, 11), rng.randint(0, 30))
            await turn(40)
            if rng.random() < 0.5:  # else some are stopped while they wait for their restart
                await self.kit.advance(1)
            for ref in self.refs:
                await self.kit.system.stop(ref)

    async def _spawn(self) -> ActorRef[Chaotic]:
        rng = self.kit.rng
        factory = partial(Chaotic, rng.randint(0, 2))
        mailbox = Mailbox(rng.randint(1, 5), rng.choice(list(Overflow)))
        return await self.kit.spawn(factory, restart=rng.choice(list(Restart)), mailbox=mailbox)

    async def _act(self, kind: int, turns: int) -> None:
        one, *others = self.kit.rng.sample(self.refs, 3)
        await turn(turns)
        match kind:
            case 0:
                await self.kit.system.stop(one)
            case 1 | 2:
                await self._crash(one)
            case 3:
                self.kit.crash_at_message(one, self.kit.rng.randint(1, 3))
            case 4:
                self.kit.crash_at_checkpoint(one, self.kit.rng.randint(1, 6))
            case _:
                filed: list[str] = []
                self.outcomes.append(filed)
                try:
                    filed.append(await self._ask(kind, one, others))
                except ActorError as error:
                    filed.append(type(error).__name__)

    async def _crash(self, ref: ActorRef[Chaotic]) -> None:
        try:
            await self.kit.crash(ref)
        except RuntimeError as not_up:
            self.kit.note(str(not_up))

    async def _ask(self, kind: int, one: ActorRef[Chaotic], others: list[ActorRef[Chaotic]]) -> str:
        match kind:
            case 5:
                return await one.ask(Chaotic.leave)
            case 6:
                return await one.ask(Chaotic.defer)
            case 7:
                return await one.ask(Chaotic.pay)
            case 8:
                return await one.ask(Chaotic.relay, (*others, one) if self.kit.rng.random() < 0.3 else tuple(others))
            case 9:
                return await one.options(on_restarting="fail").ask(Chaotic.dawdle, 3)
            case 10:
                return await one.ask(Chaotic.dawdle_surely, 4)
            case _:
                return await one.ask(Chaotic.dawdle, 5)


@dataclass(frozen=True)
class Finding:
    """What one schedule came to."""

    log: str
    outcomes: Counter[str]
    asks_without_one_outcome: int
    left: tuple[str, ...]
    cells_left: int


async def chaos(seed: int) -> Finding:
    """Run the schedule of `seed`."""
    intensity = RestartIntensity(max_restarts=seed % 3 * 50 + 1, max_seconds=1.0)
    kit = TestKit(seed=seed, backoff=QUICK, intensity=intensity)
    schedule = Schedule(kit)
    async with kit:
        await schedule.run()
    return Finding(
        log=kit.log_text,
        outcomes=Counter(name for filed in schedule.outcomes for name in filed),
        asks_without_one_outcome=sum(len(filed) != 1 for filed in schedule.outcomes),
        left=kit.left,
        cells_left=len(kit.system.cells),
    )
