"""The pipelines that bench/pipelines.py times: tasks that do nothing, in chains and fans."""

from __future__ import annotations

from actorflow import dag, task


@task
async def seed(width: int) -> list[int]:
    return list(range(width))


@task
async def noop(value: int) -> int:
    return value


@task
async def collect(values: list[int]) -> int:
    return len(values)


@task
def noop_def(value: int) -> int:
    return value


@dag
def fan(width: int) -> int:
    return collect(noop.map(seed(width)))


@dag
def fan_def(width: int) -> int:
    return collect(noop_def.map(seed(width)))


@dag
def chain_1000() -> int:
    value = noop(0)
    for _ in range(999):
        value = noop(value)
    return value


@dag
def chain_def_200() -> int:
    value = noop_def(0)
    for _ in range(199):
        value = noop_def(value)
    return value
