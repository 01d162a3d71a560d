"""Children in processes of their own: what ends them is told apart, and nothing of them stays."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from actorflow_supervisors import (
    ChildSpec,
    ChildState,
    Crashed,
    DynamicSupervisor,
    ExitReason,
    InvalidChildSpec,
    Killed,
    Normal,
    RestartScheduled,
    Supervisor,
)
from actorflow_supervisors.errors import ChildProcessFailed
from actorflow_supervisors.subprocess_child import Subprocess
from tests.faults.leaks import leak_audit as leak_audit
from tests.supervisors import placed_children as children

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("leak_audit")]

MIB = 1 << 20


def spec(run: Any, **options: Any) -> ChildSpec:
    placement = Subprocess(quota_bytes=options.pop("quota_bytes", None))
    return ChildSpec(id="child", run=run, restart="temporary", placement=placement, **options)


async def end_of(child: ChildSpec) -> ExitReason | None:
    """Why it ended by itself."""
    async with DynamicSupervisor() as supervisor:
        started = supervisor.start_child_nowait(child)
        await started.wait_ended()
        return started.last_exit


async def test_it_runs_in_another_process_and_its_return_is_a_normal_end(tmp_path: Path) -> None:
    target = tmp_path / "said"

    reason = await end_of(spec(partial(children.writes, str(target), text="hello")))

    word, pid = target.read_text().split()
    assert word == "hello"
    assert int(pid) != os.getpid()
    assert reason == Normal()


async def test_what_it_raises_there_is_a_crash_with_its_traceback() -> None:
    reason = await end_of(spec(children.raises))

    assert isinstance(reason, Crashed)
    assert isinstance(reason.error, ChildProcessFailed)
    assert str(reason.error) == "ValueError: the pump is dry"
    assert 'raise ValueError("the pump is dry")' in reason.error.traceback


@pytest.mark.parametrize(
    ("run", "signal", "exit_code"),
    [
        (partial(children.dies, 9), 9, None),
        (partial(children.dies, 11), 11, None),
        (partial(children.exits, 4), None, 4),
    ],
)
async def test_how_its_process_ended_is_the_reason(run: Any, signal: int | None, exit_code: int | None) -> None:
    reason = await end_of(spec(run))

    assert isinstance(reason, Killed)
    assert (reason.cause, reason.signal, reason.exit_code) == ("signal", signal, exit_code)


async def test_above_its_quota_it_is_killed_for_its_memory() -> None:
    reason = await end_of(spec(children.allocates, quota_bytes=128 * MIB))

    assert isinstance(reason, Killed | Crashed)
    assert "memory" in str(getattr(reason, "cause", "")) or "MemoryError" in str(getattr(reason, "error", ""))


async def test_a_stop_lets_it_clean_up_there(tmp_path: Path) -> None:
    said = tmp_path / "said"
    os.mkfifo(said)
    reader = os.open(said, os.O_RDONLY | os.O_NONBLOCK)
    async with Supervisor([spec(partial(children.cleans_up, str(said)), shutdown_s=30.0)]):
        await anyio.wait_readable(reader)
        before = os.read(reader, 10)
    after = os.read(reader, 10)
    os.close(reader)

    assert (before, after) == (b"r", b"c")


async def test_it_counts_as_started_when_it_says_so_and_a_process_that_ignores_its_stop_is_killed() -> None:
    child = spec(children.ignores_sigterm, signals_started=True, shutdown_s=0.5)

    async with Supervisor([child]) as root:
        running = root.tree().children[0].state

    assert running is ChildState.running
    assert root.tree().children[0].state is ChildState.stopped


async def test_a_supervisor_restarts_it_like_any_child() -> None:
    restarts = anyio.Event()

    def hear(event: object) -> None:
        if isinstance(event, RestartScheduled):
            restarts.set()

    child = ChildSpec(id="child", run=children.raises, placement=Subprocess())
    root = Supervisor([child])
    root.subscribe(hear)
    async with root:
        await restarts.wait()
        root.request_stop()


@pytest.mark.parametrize(
    ("run", "why"),
    [
        (lambda: anyio.sleep(0), "a lambda cannot run in a process: it has no name"),
        (partial(children.accepts, object()), "cannot travel to a process"),
        (partial(children.accepts, float("nan")), "cannot travel to a process"),
    ],
)
def test_what_no_process_could_run_is_refused_when_it_is_declared(run: Any, why: str) -> None:
    with pytest.raises(InvalidChildSpec, match=why):
        spec(run)
