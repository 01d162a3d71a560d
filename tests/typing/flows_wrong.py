"""Wrong uses of tasks and dags, each refused by both type checkers: an ignore that is not needed is an error here.

Read, never imported. tests/flows/test_typing.py runs both checkers on it.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from pathlib import Path
from typing import assert_type

from actorflow.flows.dag import BoundDag, dag
from actorflow.flows.retry import Retry
from actorflow.flows.task import Task, task


@task
async def list_files(root: Path) -> list[Path]:
    return [root]


@task
def size(path: Path, unit: int = 1) -> int:
    return path.stat().st_size // unit


@task
def report(sizes: list[int], title: str) -> str:
    return f"{title}: {sum(sizes)}"


@dag
def wrong_calls(root: Path) -> str:
    files = list_files(root)
    list_files("here")  # type: ignore[call-overload]
    list_files()  # type: ignore[call-overload]
    size(root, unit="KiB")  # type: ignore[arg-type]
    size(root, 1, 2)  # type: ignore[call-arg]
    size(root, units=2)  # type: ignore[call-arg]
    report(size(root), "one")  # type: ignore[arg-type]
    size.map(root)  # type: ignore[arg-type]
    size.map([1, 2])  # type: ignore[list-item]
    size.map(files, "KiB")  # type: ignore[arg-type]
    size.map(files, units=2)  # type: ignore[call-arg]
    report.map([[1]])  # type: ignore[call-arg]
    assert_type(size.map(files), list[str])  # type: ignore[assert-type]
    return size(root)  # type: ignore[return-value]


size.options(pool="big")  # type: ignore[call-arg]
size.options(timeout=[1])  # type: ignore[arg-type]
size.options(cpus="two")  # type: ignore[arg-type]
size.options(deadline=[1])  # type: ignore[arg-type]
wrong_calls.bind()  # type: ignore[call-arg]
wrong_calls.bind(root=3)  # type: ignore[arg-type]
wrong_calls.bind(Path(), top=3)  # type: ignore[call-arg]
number: BoundDag[int] = wrong_calls.bind(Path())  # type: ignore[assignment]
other: Task[[str], int] = size  # type: ignore[assignment]
Retry(backoff="quadratic")  # type: ignore[arg-type]
Retry(retry_on=[int])  # type: ignore[list-item]


@task(retries=3)  # type: ignore[call-overload, untyped-decorator]
def unknown_option() -> None: ...


@task(retry=3)  # type: ignore[call-overload, untyped-decorator]
def wrong_option() -> None: ...
