"""The scenario of acceptance tests 22 and 23: one thing after the other, so that no order of tasks changes the log."""

from __future__ import annotations

import sys
from functools import partial

import anyio

from actorflow.actors.actor import Actor
from actorflow.actors.errors import ActorCrashed, ActorNotRunning, AskCycle, AskTimeout
from actorflow.actors.handler import handler
from actorflow.actors.monitor import Down
from actorflow.actors.ref import ActorRef
from actorflow.testing import TestKit, run_virtual
from actorflow.testing.clock import LoopName
from actorflow_supervisors.backoff import Backoff
from actorflow_supervisors.exit_reason import ExitReason, describe

HOURLY = Backoff(base_s=3600.0, cap_s=3600.0, immediate_first=False)


class Account(Actor):
    """Has an auditor below it, which nobody named."""

    def __init__(self, balance: int = 0) -> None:
        self.balance = balance

    async def started(self) -> None:
        self.auditor = await self.context.spawn(Auditor)

    async def stopping(self, reason: ExitReason) -> None:
        await anyio.sleep(0.25)

    @handler
    async def pay_in(self, amount: int) -> int:
        await self.auditor.tell(Auditor.see, amount)
        self.balance += amount
        return self.balance

    @handler
    async def pay_out(self, amount: int) -> int:
        if amount > self.balance:
            raise ValueError(f"{amount} is more than {self.balance}")
        self.balance -= amount
        return self.balance

    @handler(raises=(AskCycle,))
    async def pass_on(self, to: tuple[ActorRef[Account], ...]) -> int:
        return await to[0].ask(Account.pass_on, to[1:]) if to else self.balance

    @handler
    async def think(self) -> None:
        await anyio.sleep(10)


class Auditor(Actor):
    @handler
    async def see(self, amount: int) -> None:
        if amount > 1000:
            raise OSError("too much to be true")


class Clerk(Actor):
    """Watches accounts, and ticks."""

    def __init__(self) -> None:
        self.downs: list[str] = []

    async def started(self) -> None:
        self.context.timers.every(1800.0, Clerk.tick)

    async def down(self, down: Down) -> None:
        self.downs.append(describe(down.reason))

    @handler
    async def watch(self, account: ActorRef[Account]) -> None:
        self.context.monitor(account)

    @handler
    async def tick(self) -> None: ...

    @handler
    async def all_downs(self) -> list[str]:
        return self.downs


async def say(kit: TestKit, text: str) -> None:
    """Note `text` once everything else that is ready has happened."""
    await kit.settle()
    kit.note(text)


async def play(seed: int, strict: bool = False) -> str:
    """Run the scenario; the log of the kit, and what the askers got as notes in it."""
    async with TestKit(seed=seed, strict=strict, backoff=HOURLY, ask_timeout_s=None) as kit:
        ours = await kit.spawn(partial(Account, balance=10), name="ours")
        theirs = await kit.spawn(Account)
        clerk = await kit.spawn(Clerk, name="clerk")
        await clerk.ask(Clerk.watch, ours)
        await say(kit, f"balance {await ours.ask(Account.pay_in, 5)}")
        try:
            await ours.ask(Account.pay_out, 100)
        except ActorCrashed as error:
            await say(kit, str(error))
        await say(kit, f"after the backoff {await ours.ask(Account.pay_out, 10)}")
        try:
            await ours.ask(Account.pass_on, (theirs, ours))
        except AskCycle as error:
            await say(kit, f"cycle of {len(error.path)}")
        try:
            with anyio.fail_after(3):
                await theirs.ask(Account.think)
        except (TimeoutError, AskTimeout):
            await say(kit, "timed out")
        await theirs.tell(Account.pay_in, 2000)
        await kit.advance(2 * 3600)
        await kit.crash(ours, OSError("pulled the plug"))
        await say(kit, ", ".join(await clerk.ask(Clerk.all_downs)))
        await kit.system.stop(ours)
        try:
            await ours.ask(Account.pay_in, 1)
        except ActorNotRunning as error:
            await say(kit, str(error))
        await kit.system.stop(theirs)
        await kit.system.stop(clerk)
        return kit.log_text


if __name__ == "__main__":
    loop: LoopName = "trio" if sys.argv[1] == "trio" else "asyncio"
    sys.stdout.write(run_virtual(play, int(sys.argv[2]), backend=loop, seed=int(sys.argv[2])))
