"""Right uses of tasks and dags, read by both type checkers; tests/flows/test_typing.py also builds each graph."""

from __future__ import annotations

import sysconfig
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, assert_type

from pydantic import BaseModel

from actorflow.flows.dag import BoundDag, Dag, dag
from actorflow.flows.graph import TriggerRule
from actorflow.flows.memory import Memory
from actorflow.flows.retry import Retry
from actorflow.flows.task import Task, task

STDLIB = Path(sysconfig.get_paths()["stdlib"])


class ModuleReport(BaseModel):
    path: Path


class Summary(BaseModel):
    modules: int


@task(
    retry=Retry(attempts=3, backoff="exponential", base="200ms", cap="10s", jitter=0.25, retry_on=[OSError]),
    timeout="30s",
)
async def list_modules(root: Path) -> list[Path]:
    return sorted(root.glob("*.py"))


@task(memory="256MiB * attempt", deadline="1h", queue_timeout=30, cpus=0.5, affinity=False)
def census(path: Path) -> ModuleReport:
    return ModuleReport(path=path)


@task
def summarise(reports: list[ModuleReport], top: int) -> Summary:
    return Summary(modules=len(reports[:top]))


@dag
def stdlib_census(root: Path = STDLIB, top: int = 10) -> Summary:
    files = list_modules(root)
    assert_type(files, list[Path])
    reports = census.map(files)
    assert_type(reports, list[ModuleReport])
    return summarise(reports, top)


@task
async def scaled(number: int, factor: float, *, shift: int = 0) -> float:
    return number * factor + shift


@task(name="adding", max_in_flight=None, trigger_rule="all_done")
def total(numbers: Sequence[float]) -> float:
    return sum(numbers)


@task
def nothing() -> None:
    return None


def identity_of(value: str) -> str:
    return value


identity = task(identity_of)


@dag(name="numbers", timeout="2h", max_memory="4GiB")
def sums(factor: float, texts: list[str] | None = None) -> dict[str, float]:
    first = scaled(1, factor)
    assert_type(first, float)
    many = scaled.map([1, 2, 3], factor, shift=2)
    assert_type(many, list[float])
    again = scaled.map(range(3), factor=factor)
    ready = nothing()
    late = total.options(after=[first, ready], name="late", retry=Retry(attempts=2, memory=1))
    assert_type(late(many), float)
    wide = scaled.options(
        max_in_flight=2, timeout=1.5, memory=Memory("1GiB", growth=2.0, max="8GiB"), executor="process"
    ).map([1], 2.0)
    both = total.options(trigger_rule=TriggerRule.one_success)([first, total(again)])
    return {"many": total(many), "wide": total(wide), "both": both}


@dag
def texts() -> list[str]:
    return identity.map(["a", "b"])


async def unit_tests() -> None:
    assert_type(await list_modules.fn(STDLIB), list[Path])
    assert_type(census.fn(STDLIB), ModuleReport)
    assert_type(census(STDLIB), ModuleReport)


bound = stdlib_census.bind(top=3)
assert_type(bound, BoundDag[Summary])
assert_type(stdlib_census.bind(), BoundDag[Summary])
assert_type(sums.bind(0.5), BoundDag[dict[str, float]])
plain: Callable[[Path], ModuleReport] = census.fn
wider: Task[[Path], BaseModel] = census
any_dag: Dag[..., Any] = stdlib_census
DAGS: list[Dag[..., object]] = [stdlib_census, sums, texts]
