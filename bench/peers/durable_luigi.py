"""Luigi with its local scheduler: a target file for each task is the state."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from bench.peers._subject import Case, answer, peer


def cases() -> Mapping[str, Case]:
    luigi = peer("luigi")
    noop, link, all_of = task_classes(luigi, os.environ["BENCH_FOLDER"])

    def built(task: Any) -> float:
        began_s = time.perf_counter()
        assert luigi.build([task], local_scheduler=True, log_level="CRITICAL")
        return time.perf_counter() - began_s

    return {
        "fan": Case(500, lambda count: built(all_of(tasks=[noop(number=number) for number in range(count)]))),
        "chain": Case(500, lambda count: built(link(number=count - 1))),
    }


def task_classes(luigi: Any, folder: str) -> tuple[Any, Any, Any]:
    """A task by number; the same, which requires the number before it; one that requires many."""

    def target(self: Any) -> Any:
        return luigi.LocalTarget(f"{folder}/{type(self).__name__}-{self.number}")

    def run(self: Any) -> None:
        with self.output().open("w") as file:
            file.write("done")

    def before(self: Any) -> list[Any]:
        return [type(self)(number=self.number - 1)] if self.number else []

    shared = {"number": luigi.IntParameter(), "output": target, "run": run}
    noop = type("Noop", (luigi.Task,), dict(shared))
    link = type("Link", (luigi.Task,), {**shared, "requires": before})

    class AllOf:
        tasks: list[Any]

        def requires(self) -> list[Any]:
            return self.tasks

    def all_of(*, tasks: list[Any]) -> Any:
        return type("AllOfThem", (AllOf, luigi.WrapperTask), {"tasks": tasks})()

    return noop, link, all_of


if __name__ == "__main__":
    answer("luigi", cases)
