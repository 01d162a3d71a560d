"""A task that forks until its user may have no more processes ends whole, and its neighbours go on (F18)."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import anyio
import pytest

from actorflow.runs.executor import AttemptState, Cause, Outcome
from tests.faults import process_tasks as tasks
from tests.faults.leaks import leak_audit as leak_audit
from tests.faults.process_site import Pipe, bench
from tests.faults.process_site import pipe as pipe
from tests.faults.processes import is_gone
from tests.faults.test_process_executor import works

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("leak_audit")]

ROOM = 40
HEARD = ROOM // 4
"""Of so many it is seen here that they are gone, of all by the audit: who is not root shares its room with others."""


@pytest.mark.parametrize("end", ["cancel", "SIGKILL"])
async def test_a_fork_bomb_is_gone_with_its_attempt_and_its_neighbour_goes_on(
    end: str, pipe: Pipe, tmp_path: Path
) -> None:
    neighbour, release = Pipe(tmp_path / "neighbour"), Pipe(tmp_path / "release")
    outcomes: list[Outcome] = []
    bombed: list[Outcome] = []
    pids: list[int] = []
    scope = anyio.CancelScope()

    async def go_on() -> None:
        outcomes.append(await executor.run(tasks.meet, ours=neighbour.path, theirs=release.path))

    async def bomb() -> None:
        with scope:
            bombed.append(await executor.run(tasks.fork_bomb, pipe=pipe.path, room=ROOM))
        gone = [is_gone(pid) for pid in pids]
        assert gone == [True] * HEARD

    async with bench(workers=2, grace_s=0.01) as executor:
        async with anyio.create_task_group() as group:
            group.start_soon(go_on)
            await neighbour.line()
            group.start_soon(bomb)
            worker = int(await pipe.line())
            pids += [int(await pipe.line()) for _ in range(HEARD)]
            if end == "cancel":
                scope.cancel()
            else:
                os.kill(worker, signal.SIGKILL)
            release.say(7)
        still_works = await works(executor)
    neighbour.close()
    release.close()

    assert [outcome.state for outcome in outcomes] == [AttemptState.succeeded]
    assert [outcome.cause for outcome in bombed] == ([] if end == "cancel" else [Cause.lost])
    assert still_works
