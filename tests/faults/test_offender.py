"""Of eight attempts side by side with the same quota, the one that outgrows it ends, and no other (F15)."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from actorflow.runs.executor import AttemptState, Cause, Outcome
from tests.faults import process_tasks as tasks
from tests.faults.leaks import leak_audit as leak_audit
from tests.faults.process_site import Pipe, bench

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("leak_audit")]

QUOTA_BYTES = 192 << 20
INNOCENT = 7


async def test_of_eight_attempts_only_the_one_over_its_quota_is_killed(tmp_path: Path) -> None:
    pipes = [(Pipe(tmp_path / f"ours-{n}"), Pipe(tmp_path / f"theirs-{n}")) for n in range(INNOCENT)]
    innocent: list[Outcome] = []
    hogs: list[Outcome] = []
    ended_with_it: list[Outcome] = []

    async def attempt(ours: Pipe, theirs: Pipe) -> None:
        paths = {"ours": ours.path, "theirs": theirs.path}
        innocent.append(await executor.attempt(tasks.meet, paths, memory_bytes=QUOTA_BYTES))

    async with bench(workers=INNOCENT + 1) as executor, anyio.create_task_group() as group:
        for ours, theirs in pipes:
            group.start_soon(attempt, ours, theirs)
        for ours, _ in pipes:
            await ours.line()
        hogs.append(await executor.attempt(tasks.hog, {}, memory_bytes=QUOTA_BYTES))
        ended_with_it += innocent
        for _, theirs in pipes:
            theirs.say(7)
    for ours, theirs in pipes:
        ours.close()
        theirs.close()

    (hog,) = hogs
    assert hog.cause is Cause.out_of_memory
    assert hog.peak_rss_bytes is not None
    assert QUOTA_BYTES < hog.peak_rss_bytes < 2 * QUOTA_BYTES  # the kernel's limit behind the samples: 1.5 times
    assert ended_with_it == []
    assert [outcome.state for outcome in innocent] == [AttemptState.succeeded] * INNOCENT
