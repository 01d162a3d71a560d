"""`actorflow.run` and `run_async`: whole pipelines, really run, on both loops and on every executor of this process."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import anyio
import pytest

import actorflow
from actorflow import Retry, RunControl, RunFailed, RunStatus, dag, task
from actorflow.runs.events import (
    AttemptFinished,
    AttemptStarted,
    Record,
    RunCancelling,
    RunFinished,
    RunPaused,
    RunPausing,
    RunResumed,
    RunStarted,
    TaskFinished,
)
from actorflow.runs.executor import AttemptState, Cause

Backend = Literal["asyncio", "trio"]
BACKENDS: tuple[Backend, ...] = ("asyncio", "trio")
calls: Counter[str] = Counter()
pausing: list[anyio.Event] = []


@pytest.fixture(autouse=True)
def fresh_calls() -> None:
    calls.clear()


@task
async def numbers(count: int) -> list[int]:
    return list(range(count))


@task
async def double(value: int) -> int:
    return 2 * value


@task
async def add(value: int, more: int) -> int:
    return value + more


@task
async def total(values: list[int]) -> int:
    return sum(values)


@task
async def fails(value: int) -> int:
    raise ValueError(f"cannot use {value}")


@task(retry=Retry(attempts=3, base="1ms", jitter=0.0, retry_on=[ConnectionError]))
async def flaky(value: int) -> int:
    calls["flaky"] += 1
    if calls["flaky"] < 3:
        raise ConnectionResetError("once more")
    return value


@task(timeout="50ms")
async def endless(value: int) -> int:
    await anyio.sleep_forever()
    return value


@task
async def parked(value: int) -> int:
    calls["parked"] += 1
    try:
        await anyio.sleep_forever()
    finally:
        calls["unparked"] += 1
    return value


@task
async def until_pausing() -> int:
    """Ends once the run is on its way to a pause, so that what comes after it cannot have started."""
    calls["until_pausing"] += 1
    await pausing[-1].wait()
    return 3


@task
async def twice(value: int) -> int:
    calls["twice"] += 1
    return 2 * value


@task
async def parked_once() -> int:
    calls["parked_once"] += 1
    if calls["parked_once"] == 1:
        await anyio.sleep_forever()
    return calls["parked_once"]


@task
async def lock() -> object:
    return threading.Lock()


@task(executor="thread")
def thread_name(value: int) -> str:
    return threading.current_thread().name


@task(executor="inline")
def inline_thread(value: int) -> str:
    return threading.current_thread().name


@task
async def quits(value: int) -> int:
    raise SystemExit(0)


@dag
def doubled(count: int = 4) -> int:
    return total(add.map(double.map(numbers(count)), 100))


@dag
def one_branch_fails(count: int = 3) -> dict[str, int]:
    listed = numbers(count)
    return {"bad": total(fails.map(listed)), "good": total(double.map(listed))}


@dag
def retried() -> int:
    return flaky(7)


@dag
def timed_out() -> int:
    return endless(1)


@dag
def stuck(count: int = 3) -> int:
    return total(parked.map(numbers(count)))


@dag
def paused_and_resumed() -> int:
    return twice(until_pausing())


@dag
def taken_back() -> int:
    return parked_once()


@dag
def bad_output() -> object:
    return lock()


@dag
def threads(count: int = 3) -> list[str]:
    return thread_name.map(numbers(count))


@dag
def inlined(count: int = 2) -> list[str]:
    return inline_thread.map(numbers(count))


@dag
def quitting() -> int:
    return quits(1)


class Seen:
    """Keeps the records of a run."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def __call__(self, records: Sequence[Record]) -> None:
        self.records.extend(records)

    def of(self, kind: type[Any]) -> list[Any]:
        return [record.event for record in self.records if isinstance(record.event, kind)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_run_returns_what_the_dag_returned(backend: Backend, tmp_path: Path) -> None:
    result = actorflow.run(doubled.bind(count=5), store=tmp_path, backend=backend)

    assert result.status is RunStatus.succeeded
    assert result.value == 520


def test_a_dag_with_defaults_runs_unbound(tmp_path: Path) -> None:
    assert actorflow.run(doubled, store=tmp_path).value == 412


@pytest.mark.parametrize("backend", BACKENDS)
def test_events_are_numbered_without_gaps_from_run_started_to_run_finished(backend: Backend, tmp_path: Path) -> None:
    seen = Seen()

    actorflow.run(doubled.bind(count=2), store=tmp_path, on_records=seen, backend=backend)

    assert [record.seq for record in seen.records] == list(range(1, len(seen.records) + 1))
    assert isinstance(seen.records[0].event, RunStarted)
    assert isinstance(seen.records[-1].event, RunFinished)
    assert len(seen.of(AttemptStarted)) == len(seen.of(AttemptFinished)) == 6


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_failing_branch_leaves_the_others_alone(backend: Backend, tmp_path: Path) -> None:
    seen = Seen()

    result = actorflow.run(one_branch_fails, store=tmp_path, on_records=seen, backend=backend)

    assert result.status is RunStatus.failed
    assert result.failed_task == "fails"
    assert result.error is not None
    assert result.error.message.startswith("cannot use")
    ends = seen.of(AttemptFinished)
    assert sum(end.state is AttemptState.succeeded for end in ends) == 1 + 3 + 1
    assert [event.task for event in seen.of(TaskFinished)] == ["total"]


def test_the_value_of_a_failed_run_says_how_to_learn_more(tmp_path: Path) -> None:
    result = actorflow.run(one_branch_fails, store=tmp_path)

    with pytest.raises(RunFailed, match=r"ValueError: cannot use \d; `actorflow show"):
        _ = result.value


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_task_is_retried_as_its_policy_says(backend: Backend, tmp_path: Path) -> None:
    seen = Seen()

    result = actorflow.run(retried, store=tmp_path, on_records=seen, backend=backend)

    assert result.value == 7
    assert [(end.attempt, end.final) for end in seen.of(AttemptFinished)] == [(1, False), (2, False), (3, True)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_timeout_ends_an_async_task(backend: Backend, tmp_path: Path) -> None:
    seen = Seen()

    result = actorflow.run(timed_out, store=tmp_path, on_records=seen, backend=backend)

    assert result.status is RunStatus.failed
    assert [end.cause for end in seen.of(AttemptFinished)] == [Cause.timed_out]
    assert result.error is not None
    assert "timeout of 0.05 s" in result.error.message


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_value_that_cannot_be_encoded_is_bad_output(backend: Backend, tmp_path: Path) -> None:
    seen = Seen()

    result = actorflow.run(bad_output, store=tmp_path, on_records=seen, backend=backend)

    assert [end.cause for end in seen.of(AttemptFinished)] == [Cause.bad_output]
    assert result.error is not None
    assert "lock" in result.error.message


@pytest.mark.parametrize("backend", BACKENDS)
def test_sys_exit_in_a_task_is_a_failed_attempt(backend: Backend, tmp_path: Path) -> None:
    result = actorflow.run(quitting, store=tmp_path, backend=backend)

    assert result.status is RunStatus.failed
    assert result.error is not None
    assert result.error.type == "builtins:SystemExit"


def test_thread_tasks_run_in_threads_and_inline_tasks_here(tmp_path: Path) -> None:
    main = threading.current_thread().name

    assert main not in actorflow.run(threads, store=tmp_path).value
    assert set(actorflow.run(inlined, store=tmp_path).value) == {main}


def test_inline_runs_everything_here_in_topological_order(tmp_path: Path) -> None:
    seen = Seen()

    actorflow.run(doubled.bind(count=2), store=tmp_path, executor="inline", on_records=seen)

    started = [(event.task, event.map_index) for event in seen.of(AttemptStarted)]
    assert started == [("numbers", None), ("double", 0), ("double", 1), ("add", 0), ("add", 1), ("total", None)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_empty_map_gives_an_empty_list(backend: Backend, tmp_path: Path) -> None:
    assert actorflow.run(threads.bind(count=0), store=tmp_path, backend=backend).value == []


@pytest.mark.anyio
async def test_a_run_inside_a_running_program(tmp_path: Path) -> None:
    result = await actorflow.run_async(doubled.bind(count=3), store=tmp_path)

    assert result.value == 306


@pytest.mark.anyio
async def test_two_runs_share_a_program_and_a_store(tmp_path: Path) -> None:
    values: list[int] = []

    async def one(count: int) -> None:
        values.append((await actorflow.run_async(doubled.bind(count=count), store=tmp_path)).value)

    async with anyio.create_task_group() as group:
        group.start_soon(one, 2)
        group.start_soon(one, 3)

    assert sorted(values) == [202, 306]


@pytest.mark.anyio
async def test_run_inside_a_loop_is_refused_and_names_the_way(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="run_async"):
        actorflow.run(doubled, store=tmp_path)


@pytest.mark.anyio
async def test_cancelling_the_caller_cancels_the_run_and_waits_for_its_end(tmp_path: Path) -> None:
    seen = Seen()
    with anyio.CancelScope() as scope:

        def stop_when_all_are_parked(records: Sequence[Record]) -> None:
            seen(records)
            if sum(event.task == "parked" for event in seen.of(AttemptStarted)) == 3:
                scope.cancel()

        await actorflow.run_async(stuck, store=tmp_path, on_records=stop_when_all_are_parked)

    assert scope.cancelled_caught
    assert calls["parked"] == calls["unparked"]
    assert [event.status for event in seen.of(RunFinished)] == [RunStatus.cancelled]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_run_is_cancelled_from_another_thread(backend: Backend, tmp_path: Path) -> None:
    seen, control = Seen(), RunControl()

    def cancel_when_all_are_parked(records: Sequence[Record]) -> None:
        seen(records)
        if control.reason is None and sum(event.task == "parked" for event in seen.of(AttemptStarted)) == 3:
            other = threading.Thread(target=control.cancel, args=("a thread said so",))
            other.start()
            other.join()

    result = actorflow.run(
        stuck, store=tmp_path, on_records=cancel_when_all_are_parked, control=control, backend=backend
    )

    assert result.status is RunStatus.cancelled
    assert {end.state for end in seen.of(AttemptFinished) if end.task == "parked"} == {AttemptState.cancelled}
    cancelled_at = next(record.ts for record in seen.records if isinstance(record.event, RunCancelling))
    assert all(end.started < cancelled_at for end in seen.of(AttemptFinished) if end.task == "parked")


def test_a_cancel_before_the_run_begins_starts_nothing(tmp_path: Path) -> None:
    seen, control = Seen(), RunControl()
    control.cancel("too late to begin")

    result = actorflow.run(stuck, store=tmp_path, on_records=seen, control=control)

    assert result.status is RunStatus.cancelled
    assert calls["parked"] == 0


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_run_is_paused_and_resumed_from_another_thread(backend: Backend, tmp_path: Path) -> None:
    seen, control = Seen(), RunControl()
    pausing.append(anyio.Event())

    def in_another_thread(call: Callable[[str], None], reason: str) -> None:
        other = threading.Thread(target=call, args=(reason,))
        other.start()
        other.join()

    def steer(records: Sequence[Record]) -> None:
        seen(records)
        for record in records:
            match record.event:
                case AttemptStarted(task="until_pausing"):
                    in_another_thread(control.pause, "tea")
                case RunPausing():
                    pausing[-1].set()
                case RunPaused():
                    calls["while_paused"] = calls["twice"]
                    in_another_thread(control.resume, "tea is over")
                case _:
                    pass

    result = actorflow.run(paused_and_resumed, store=tmp_path, on_records=steer, control=control, backend=backend)

    assert result.value == 6
    assert calls["while_paused"] == 0
    assert [event.reason for event in seen.of(RunPausing)] == ["tea"]
    assert [event.reason for event in seen.of(RunResumed)] == ["tea is over"]


def test_a_pause_with_now_takes_back_what_runs_and_it_runs_again(tmp_path: Path) -> None:
    seen, control = Seen(), RunControl()

    def steer(records: Sequence[Record]) -> None:
        seen(records)
        for record in records:
            match record.event:
                case AttemptStarted(task="parked_once", attempt=1):
                    control.pause("at once", now=True)
                case RunPaused():
                    control.resume()
                case _:
                    pass

    result = actorflow.run(taken_back, store=tmp_path, on_records=steer, control=control)

    assert result.value == 2
    assert [event.reason for event in seen.of(RunResumed)] == ["resumed by the caller"]


def test_a_pause_asked_before_the_run_holds_as_soon_as_it_has_begun(tmp_path: Path) -> None:
    seen, control = Seen(), RunControl()
    pausing.append(anyio.Event())
    control.pause("before it began")

    def steer(records: Sequence[Record]) -> None:
        seen(records)
        for record in records:
            match record.event:
                case RunPausing():
                    pausing[-1].set()
                case RunPaused():
                    calls["while_paused"] = calls["twice"]
                    control.resume()
                case _:
                    pass

    result = actorflow.run(paused_and_resumed, store=tmp_path, on_records=steer, control=control)

    assert result.value == 6
    assert calls["while_paused"] == 0
    assert [event.reason for event in seen.of(RunPausing)] == ["before it began"]


def test_what_is_asked_of_a_run_that_is_over_does_nothing(tmp_path: Path) -> None:
    control = RunControl()
    result = actorflow.run(doubled, store=tmp_path, control=control)

    control.pause()
    control.resume()

    assert result.status is RunStatus.succeeded


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_kill_ends_the_run_without_grace(backend: Backend, tmp_path: Path) -> None:
    seen, control = Seen(), RunControl()

    def kill_when_parked(records: Sequence[Record]) -> None:
        seen(records)
        if any(event.task == "parked" for event in seen.of(AttemptStarted)):
            control.kill()

    result = actorflow.run(stuck, store=tmp_path, on_records=kill_when_parked, control=control, backend=backend)

    assert result.status is RunStatus.cancelled
