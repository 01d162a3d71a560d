"""sys.exit in an actor is a crash of it; Ctrl-C, and KeyboardInterrupt from an actor, end the program in good order."""

from __future__ import annotations

import subprocess
import sys
from functools import partial

import anyio
import pytest

from actorflow.actors.actor import Actor
from actorflow.actors.errors import ActorCrashed
from actorflow.actors.handler import handler
from actorflow.actors.system import ActorSystem
from actorflow_supervisors.child_spec import ChildSpec
from actorflow_supervisors.dynamic import DynamicSupervisor
from actorflow_supervisors.exit_reason import ExitReason, describe

INTERRUPTED = """
import os, signal, sys
from functools import partial
import anyio
from actorflow import Actor, ActorSystem, handler

class Worker(Actor):
    def __init__(self, name):
        self.name = name

    async def stopping(self, reason):
        await anyio.lowlevel.checkpoint()
        print(self.name, reason.detail)

    @handler
    async def interrupt(self):
        os.kill(os.getpid(), signal.SIGINT)
        await anyio.sleep_forever()

async def main():
    async with ActorSystem() as system:
        await system.spawn(partial(Worker, "idle"))
        busy = await system.spawn(partial(Worker, "busy"))
        await busy.ask(Worker.interrupt)

try:
    anyio.run(main, backend=sys.argv[1])
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_ctrl_c_stops_every_actor_in_good_order_before_the_program_ends(backend: str) -> None:
    shown = subprocess.run([sys.executable, "-c", INTERRUPTED, backend], capture_output=True, text=True, check=True)

    assert shown.stderr == ""
    assert sorted(shown.stdout.splitlines()[:-1]) == ["busy system", "idle system"]
    assert shown.stdout.splitlines()[-1] == "interrupted"


class Leaver(Actor):
    def __init__(self, log: list[str] | None = None) -> None:
        self.log = [] if log is None else log

    async def stopping(self, reason: ExitReason) -> None:
        await anyio.lowlevel.checkpoint()
        self.log.append(describe(reason))

    @handler
    async def leave(self, error: BaseException) -> None:
        raise error

    @handler
    async def incarnation(self) -> int:
        return self.context.incarnation


@pytest.mark.anyio
async def test_sys_exit_in_an_actor_is_a_crash_of_that_actor() -> None:
    async with ActorSystem() as system:
        ref = await system.spawn(Leaver)
        with pytest.raises(ActorCrashed, match="SystemExit: 0"):
            await ref.ask(Leaver.leave, SystemExit(0))

        assert await ref.ask(Leaver.incarnation) == 2


@pytest.mark.anyio
async def test_a_keyboard_interrupt_in_an_actor_stops_every_actor_and_leaves_by_the_system() -> None:
    log: list[str] = []
    interrupt = KeyboardInterrupt()

    async def program() -> None:
        async with ActorSystem() as system:
            await system.spawn(partial(Leaver, log))
            ref = await system.spawn(partial(Leaver, log))
            await ref.tell(Leaver.leave, interrupt)
            await anyio.sleep_forever()

    with pytest.raises(KeyboardInterrupt) as caught:
        await program()

    assert caught.value is interrupt
    assert log == ["crashed: KeyboardInterrupt", "shutdown (system)"]


@pytest.mark.anyio
async def test_a_keyboard_interrupt_in_a_dynamic_child_leaves_by_the_block() -> None:
    async def interrupts() -> None:
        raise KeyboardInterrupt

    async def program() -> None:
        async with DynamicSupervisor() as supervisor:
            supervisor.start_child_nowait(ChildSpec(id="one", run=interrupts))
            await anyio.sleep_forever()

    with pytest.raises(KeyboardInterrupt):
        await program()
