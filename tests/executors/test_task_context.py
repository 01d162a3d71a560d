"""`task_context()`: the attempt in which a task runs, in every executor."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import anyio
import pytest
from anyio import to_thread

import actorflow
from actorflow import Retry, TaskContext, dag, task, task_context
from actorflow.runs.worker_protocol import Request, numbered, pack_work, read_order

Backend = Literal["asyncio", "trio"]


@task
def items(count: int) -> list[int]:
    return list(range(count))


@task(retry=Retry(attempts=2, base="1ms", jitter=0.0))
def who(value: int) -> tuple[TaskContext, str]:
    seen = task_context()
    if value == 1 and seen.attempt == 1:
        raise ValueError("once more")
    return seen, seen.idempotency_key


@task
async def who_async(value: int) -> list[TaskContext]:
    await anyio.lowlevel.checkpoint()
    return [task_context(), await to_thread.run_sync(task_context)]


@dag
def mapped(count: int = 3) -> list[tuple[TaskContext, str]]:
    return who.map(items(count))


@dag
def mapped_async(count: int = 3) -> list[list[TaskContext]]:
    return who_async.map(items(count))


@pytest.mark.parametrize("executor", ["inline", "thread", "process"])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_task_knows_its_run_its_index_and_its_attempt(tmp_path: Path, executor: str, backend: Backend) -> None:
    result = actorflow.run(mapped, store=tmp_path, executor=executor, workers=1, backend=backend)

    id = result.run_id
    assert result.value == [
        (TaskContext(id, "who", 0, 1), f"{id}/who[0]"),
        (TaskContext(id, "who", 1, 2), f"{id}/who[1]"),
        (TaskContext(id, "who", 2, 1), f"{id}/who[2]"),
    ]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_many_tasks_on_one_loop_know_themselves_and_so_do_their_threads(tmp_path: Path, backend: Backend) -> None:
    result = actorflow.run(mapped_async, store=tmp_path, backend=backend)

    assert result.value == [[TaskContext(result.run_id, "who_async", index, 1)] * 2 for index in range(3)]


def test_outside_of_a_task_it_says_so() -> None:
    with pytest.raises(RuntimeError, match=r"outside of a task; call it in a task's body"):
        task_context()


def test_the_key_is_of_the_work_and_not_of_the_attempt() -> None:
    assert TaskContext("r", "load", None, 1).idempotency_key == "r/load"
    assert (
        TaskContext("r", "load", 2, 1).idempotency_key == TaskContext("r", "load", 2, 9).idempotency_key == "r/load[2]"
    )


def test_a_request_carries_the_attempt_and_headers() -> None:
    request = Request(7, "m:f", {"a": b"1"}, TaskContext("run", "f", 3, 2), {"traceparent": "00-1-2-01"})

    packed = pack_work(request.task, request.arguments, request.context, request.headers)

    assert read_order(numbered(request.number, packed)) == request
