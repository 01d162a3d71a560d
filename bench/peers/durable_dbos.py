"""DBOS on SQLite: steps of one workflow, one after the other, and gathered."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from typing import Any

from bench.peers._subject import Case, answer, peer


async def noop(value: int) -> int:
    return value


def cases() -> Mapping[str, Case]:
    dbos = peer("dbos").DBOS
    database = f"sqlite:///{os.environ['BENCH_FOLDER']}/dbos.sqlite"
    dbos(config={"name": "bench", "system_database_url": database, "log_level": "CRITICAL", "run_admin_server": False})
    step = dbos.step()(noop)

    async def one_by_one(count: int) -> int:
        value = 0
        for _ in range(count):
            value = await step(value)
        return value

    async def gathered(count: int) -> int:
        return len(await asyncio.gather(*(step(number) for number in range(count))))

    chain, fan = dbos.workflow()(one_by_one), dbos.workflow()(gathered)
    dbos.launch()

    def timed(workflow: Any, count: int) -> float:
        async def run() -> None:
            await workflow(count)

        began_s = time.perf_counter()
        asyncio.run(run())
        return time.perf_counter() - began_s

    return {
        "fan": Case(500, lambda count: timed(fan, count)),
        "chain": Case(500, lambda count: timed(chain, count)),
    }


if __name__ == "__main__":
    answer("dbos", cases)
