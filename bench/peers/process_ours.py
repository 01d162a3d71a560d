"""actorflow's `process` executor with two workers, durable: from the first result to the last, both on disk.

The start of the workers is left out, as the peers' clusters are up before their clock starts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import actorflow
from actorflow.runs.events import AttemptFinished, Record
from bench import _noop_dags as dags
from bench.peers._in_loop import loop_of_environment
from bench.peers._subject import Case, answer
from bench.pipelines import run

WORKERS = 2


def between_results(bound: actorflow.BoundDag[int]) -> float:
    """Seconds a task, times the tasks."""
    ends: list[float] = []

    def keep(records: Sequence[Record]) -> None:
        ends.extend(
            record.ts
            for record in records
            if isinstance(record.event, AttemptFinished) and record.event.task.startswith("noop_def")
        )

    run(bound, loop_of_environment(), workers=WORKERS, on_records=keep)
    return (ends[-1] - ends[0]) / (len(ends) - 1) * len(ends)


def fan(count: int) -> float:
    return between_results(dags.fan_def.bind(width=count))


def chain(count: int) -> float:
    return between_results(dags.chain_def_200.bind()) * count / 200


def cases() -> Mapping[str, Case]:
    return {"fan_1000": Case(1_000, fan), "chain_200": Case(200, chain)}


if __name__ == "__main__":
    answer("actorflow", cases)
