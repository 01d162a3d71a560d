"""Dagster's execute_in_process with an instance on SQLite; the job's definition is left out."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from bench.peers._subject import Case, answer, peer


def noop(value: int) -> int:
    return value


def first() -> int:
    return 0


def cases() -> Mapping[str, Case]:
    os.environ |= {"DAGSTER_HOME": os.environ["BENCH_FOLDER"], "DAGSTER_DISABLE_TELEMETRY": "1"}
    dagster = peer("dagster")
    seed = dagster.op(first)
    op = dagster.op(ins={"value": dagster.In(int)}, out=dagster.Out(int))(noop)

    def chained(count: int) -> Any:
        def wire() -> None:
            value = seed()
            for number in range(count):
                value = op.alias(f"noop_{number}")(value)

        wire.__name__ = f"chain_{count}"
        return dagster.job(wire)

    def fanned(count: int) -> Any:
        def wire() -> None:
            value = seed()
            for number in range(count):
                op.alias(f"noop_{number}")(value)

        wire.__name__ = f"fan_{count}"
        return dagster.job(wire)

    def timed(job: Any) -> float:
        with dagster.DagsterInstance.get() as instance:
            began_s = time.perf_counter()
            assert job.execute_in_process(instance=instance).success
            return time.perf_counter() - began_s

    return {
        "fan": Case(100, lambda count: timed(fanned(count))),
        "chain": Case(100, lambda count: timed(chained(count))),
    }


if __name__ == "__main__":
    answer("dagster", cases)
