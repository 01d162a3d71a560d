"""Prefect with its ephemeral server on SQLite; the server's start is left out."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from bench.peers._subject import Case, answer, peer


def noop(value: int) -> int:
    return value


def cases() -> Mapping[str, Case]:
    os.environ |= {
        "PREFECT_HOME": os.environ["BENCH_FOLDER"],
        "PREFECT_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "DO_NOT_TRACK": "1",
    }
    prefect = peer("prefect")
    task = prefect.task(noop)

    def one_by_one(count: int) -> int:
        value = 0
        for _ in range(count):
            value = task(value)
        return value

    def mapped(count: int) -> int:
        return len(task.map(range(count)).result())

    chain, fan = prefect.flow(one_by_one), prefect.flow(mapped)
    chain(1)

    def timed(flow: Any, count: int) -> float:
        began_s = time.perf_counter()
        flow(count)
        return time.perf_counter() - began_s

    return {
        "fan": Case(100, lambda count: timed(fan, count)),
        "chain": Case(100, lambda count: timed(chain, count)),
    }


if __name__ == "__main__":
    answer("prefect", cases)
