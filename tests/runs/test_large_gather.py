"""A map gathered into one list that is too large to be kept: the run says so, and ends."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

import actorflow
from actorflow import dag, task
from actorflow.actors.codec import Limits
from actorflow.runs.executor import Cause
from actorflow.runs.states import RunStatus
from actorflow.runs.store import SqliteStore
from actorflow.runs.values import VALUE_CODEC


@task
async def numbers() -> list[int]:
    return list(range(10))


@task
async def page(number: int) -> bytes:
    return bytes(1000)


@task
async def size(pages: list[bytes]) -> int:
    return len(pages)


@dag
def all_pages() -> list[bytes]:
    return page.map(numbers())


@dag
def sizes() -> int:
    return size(page.map(numbers()))


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values of 4,000 bytes in place of 512 MiB."""
    monkeypatch.setattr(VALUE_CODEC, "limits", Limits(max_bytes=4000))


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_result_that_is_too_large_fails_the_run_and_says_why(
    tmp_path: Path, backend: Literal["asyncio", "trio"]
) -> None:
    result = actorflow.run(all_pages, store=tmp_path, backend=backend)

    assert result.status is RunStatus.failed
    assert result.error is not None
    assert result.error.message == (
        "result: cannot encode list: 10,031 bytes are more than the limit of 4,000; "
        "values of a run are whole in memory, and so is the list of a map's results: "
        "have a task reduce it, or pass on the paths of files"
    )
    (summary,) = SqliteStore(tmp_path).runs()
    assert (summary.status, summary.ended is None) == (RunStatus.failed, False)
    assert summary.tasks == {"succeeded": 11}
    records = SqliteStore(tmp_path).open_run("@last").records()
    assert getattr(list(records)[-1].event, "cause") is Cause.bad_output  # noqa: B009 - of the run's end


def test_a_list_that_stays_in_this_process_may_be_larger(tmp_path: Path) -> None:
    assert actorflow.run(sizes, store=tmp_path).value == 10
