"""Ctrl-C and asyncio's own cancellation of the host: the children still stop in order."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from functools import partial

import anyio
import pytest

from actorflow_supervisors.child_spec import ChildSpec
from actorflow_supervisors.supervisor import Supervisor

INTERRUPTED = """
import os, signal, sys
from functools import partial
import anyio
from actorflow_supervisors import ChildSpec, Supervisor

async def work(name):
    try:
        await anyio.sleep_forever()
    finally:
        print(name, "down")

async def main():
    async with Supervisor([ChildSpec(id=name, run=partial(work, name)) for name in "abc"]):
        await anyio.wait_all_tasks_blocked()
        os.kill(os.getpid(), signal.SIGINT)
        await anyio.sleep_forever()

try:
    anyio.run(main, backend=sys.argv[1])
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_ctrl_c_stops_the_children_in_reverse_order_before_it_leaves(backend: str) -> None:
    shown = subprocess.run([sys.executable, "-c", INTERRUPTED, backend], capture_output=True, text=True, check=True)

    assert shown.stdout.split("\n") == ["c down", "b down", "a down", "interrupted", ""]


def test_a_cancellation_of_the_host_task_while_it_leaves_ends_the_wait_and_is_not_lost() -> None:
    log: list[str] = []

    async def main() -> None:
        leaving, ended = asyncio.Event(), asyncio.Event()

        async def work(name: str) -> None:
            try:
                await anyio.sleep_forever()
            finally:
                if name == "b":
                    leaving.set()
                    await ended.wait()
                log.append(name)

        async def host() -> None:
            async with Supervisor([ChildSpec(id=name, run=partial(work, name)) for name in "abc"]):
                await anyio.wait_all_tasks_blocked()

        task = asyncio.create_task(host())
        await leaving.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert log == ["c", "a"]
        ended.set()

    asyncio.run(main())
