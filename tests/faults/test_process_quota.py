"""Quotas of attempts, whichever process of their tree and whichever kind of memory it is that grows."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from actorflow.runs.executor import AttemptState, Cause
from actorflow_supervisors.memory import MemoryQuotaExceeded
from tests.faults import process_tasks as tasks
from tests.faults.leaks import leak_audit as leak_audit
from tests.faults.process_site import bench
from tests.faults.test_process_executor import MIB, failure_of, works

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("leak_audit")]


@pytest.mark.parametrize("task", [tasks.hog, tasks.hog_in_grandchild, tasks.hog_shared_memory])
async def test_whatever_grows_is_found_and_limit_and_peak_are_told(task: Callable[..., object]) -> None:
    async with bench(backstop=False) as executor:
        outcome = await executor.attempt(task, {}, memory_bytes=128 * MIB)
        still_works = await works(executor)

    assert outcome.peak_rss_bytes is not None
    assert outcome.peak_rss_bytes > 128 * MIB
    assert failure_of(outcome, Cause.out_of_memory) == str(MemoryQuotaExceeded(128 * MIB, outcome.peak_rss_bytes))
    assert still_works


async def test_what_no_sampling_sees_coming_is_refused_and_the_quota_is_named() -> None:
    async with bench() as executor:
        outcome = await executor.attempt(tasks.hog_at_once, {"mib": 1024}, memory_bytes=128 * MIB)
        after = await executor.attempt(tasks.hog_at_once, {"mib": 16}, memory_bytes=128 * MIB)

    message = failure_of(outcome, Cause.out_of_memory)
    assert "was refused more memory by the hard limit behind its quota of 128 MiB, having used " in message
    assert after.state is AttemptState.succeeded
    assert after.worker == outcome.worker


async def test_the_hard_limit_can_be_turned_off() -> None:
    async with bench(backstop=False) as executor:
        outcome = await executor.attempt(tasks.hog_at_once, {"mib": 1024}, memory_bytes=128 * MIB)

    assert outcome.state is AttemptState.succeeded


async def test_a_quota_ends_with_its_attempt() -> None:
    async with bench() as executor:
        limited = await executor.attempt(tasks.pid, {}, memory_bytes=128 * MIB)
        free = await executor.run(tasks.hog_at_once, mib=1024)

    assert free.state is AttemptState.succeeded
    assert free.worker == limited.worker
