"""A run whose store finds no room half way: on a small disk of its own, or below a limit on the size of files.

`store_full.py LOOP disk|limit FOLDER [gives_up]`: what happened, as one JSON object on stdout. `disk` mounts a tmpfs of
4 MiB at FOLDER, for which it has to be started by `unshare -rm`. Room comes again after the third write that found
none; with `gives_up` it never does.
"""

from __future__ import annotations

import json
import logging
import resource
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal, cast

import anyio
from anyio.lowlevel import checkpoint

from actorflow import dag, task
from actorflow.executors.event_loop import EventLoopExecutor
from actorflow.flows.plan import make_plan
from actorflow.runs.events import AttemptFinished, AttemptStarted, Record, RecordedTask, RunStarted
from actorflow.runs.journal import Journal
from actorflow.runs.journal_file import JournalFile
from actorflow.runs.run_log import LargeRow
from actorflow.runs.runner import RunInput, run_plan
from actorflow.runs.store import SqliteStore
from actorflow.runs.store_errors import JournalFailed, StoreFull
from actorflow.runs.values import Value

DISK_BYTES = 4 * 1024 * 1024
FILE_LIMIT_BYTES = 600_000
WIDTH = 200
TRIES = 3

started = 0


@task(executor="async", max_in_flight=8)
async def page(number: int) -> bytes:
    global started
    started += 1
    await checkpoint()
    return number.to_bytes(2, "big") * 8_000


@dag
def pages() -> list[bytes]:
    return page.map(list(range(WIDTH)))


class Disk:
    """What takes the room away, and gives it back after so many writes that found none."""

    def __init__(self, kind: Literal["disk", "limit"], folder: Path, *, gives_up: bool) -> None:
        self.kind = kind
        self.ballast = folder / "ballast"
        self.tries: dict[str, int] = {}
        self.gives_up = gives_up
        self.started_at: list[int] = []

    def fill(self) -> None:
        if self.kind == "limit":
            _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_LIMIT_BYTES, hard))
            return
        with self.ballast.open("wb") as file:
            file.write(bytes(DISK_BYTES - 1_500_000))

    def found_none(self, error: StoreFull) -> None:
        name = error.problem.rpartition("(")[2].rstrip(")")
        self.tries[name] = self.tries.get(name, 0) + 1
        self.started_at.append(started)
        if sum(self.tries.values()) == TRIES and not self.gives_up:
            self.ballast.unlink(missing_ok=True)
            _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


class WatchedFile(JournalFile):
    """Tells the disk of each write that found no room."""

    disk: Disk

    def write(self, rows: Sequence[tuple[int, bytes] | LargeRow], released: Sequence[Value] = ()) -> None:
        try:
            super().write(rows, released)
        except StoreFull as exc:
            self.disk.found_none(exc)
            raise


def run_input(journal: Journal) -> RunInput:
    plan = make_plan(pages.graph, {})
    tasks = tuple(
        RecordedTask(name=each.step.name, task=each.step.task, executor="async", mapped=each.step.mapped)
        for each in plan.steps
    )
    module = plan.graph.module
    return RunInput(
        plan=plan,
        header=RunStarted(run_id="r1", dag="pages", file=__file__, module=module, tasks=tasks),
        journal=journal,
        executors={"async": EventLoopExecutor()},
        module=module,
        file=__file__,
        functions=pages.functions,
    )


async def main(kind: Literal["disk", "limit"], folder: Path, gives_up: bool) -> dict[str, object]:
    disk = Disk(kind, folder, gives_up=gives_up)
    acknowledged: list[int] = []
    states: list[str] = []

    def observe(records: Sequence[Record]) -> None:
        acknowledged.append(records[-1].seq)

    def tell(error: JournalFailed | None) -> None:
        states.append("store full" if error is not None else "room")

    make_journal = partial(Journal, max_queued_bytes=100_000, full_limit_s=0.5 if gives_up else 600.0)
    store = SqliteStore(folder / "store", make_journal=make_journal)
    journal = store.create_run("r1")
    journal._log.__class__ = WatchedFile
    cast(WatchedFile, journal._log).disk = disk
    journal.subscribe(observe)
    journal.subscribe_blocked(tell)
    disk.fill()
    failure = status = ""
    try:
        status = (await run_plan(run_input(journal))).status.value
    except StoreFull as exc:
        failure = str(exc)
    records = list(store.open_run("r1").records())
    ended = [record.event for record in records if isinstance(record.event, AttemptFinished)]
    return {
        "status": status,
        "failure": failure,
        "states": states,
        "tries": disk.tries,
        "started_at": disk.started_at,
        "started": started,
        "recorded_starts": sum(isinstance(record.event, AttemptStarted) for record in records),
        "results": len({event.map_index for event in ended if event.value is not None}),
        "acknowledged": max(acknowledged, default=0),
        "rows": len(records),
        "history": store.open_run("r1").history().status.value,
        "dropped": journal.dropped_events,
    }


if __name__ == "__main__":
    loop, kind, folder = sys.argv[1], cast(Literal["disk", "limit"], sys.argv[2]), Path(sys.argv[3])
    logging.getLogger("actorflow").addHandler(logging.NullHandler())
    if kind == "disk":
        size = f"size={DISK_BYTES}"
        subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)], check=True)
    print(json.dumps(anyio.run(main, kind, folder, "gives_up" in sys.argv, backend=loop)))
