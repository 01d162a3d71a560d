"""A run whose tasks print more than its small disk holds; the room comes back before the last of them prints.

`output_full.py FOLDER`: what happened, as one JSON object on stdout. Mounts a tmpfs of 16 MiB at FOLDER, for which it
has to be started by `unshare -rm`.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import anyio
import anyio.to_thread

from actorflow import dag, task
from actorflow.compose import RunSettings, execute
from actorflow.flows.plan import make_plan
from actorflow.runs.output import OutputRecord
from actorflow.runs.output_file import RESERVE_PART
from actorflow.runs.output_settings import OutputSettings
from actorflow.runs.store import SqliteStore

DISK_BYTES = 16 << 20
LINE = "x" * 1000
LINES = 8_000
LATER = 100

printed = threading.Event()
"""The last line of `much` was written, or found no room."""


@task
async def much() -> int:
    for _ in range(LINES):
        print(LINE)
        await anyio.lowlevel.checkpoint()
    print("the end")
    return LINES


@task
async def room(lines: int, ballast: str) -> int:
    await anyio.to_thread.run_sync(printed.wait)
    free = os.statvfs(ballast)
    os.unlink(ballast)
    return free.f_bavail * free.f_frsize


@task
async def more(free_bytes: int) -> int:
    for _ in range(LATER):
        print("there is room")
    return free_bytes


@dag
def printing(ballast: str) -> int:
    return more(room(much(), ballast))


async def main(folder: Path) -> dict[str, object]:
    ballast = folder / "ballast"
    ballast.write_bytes(bytes(DISK_BYTES // 2))
    told: list[str] = []
    blocked: list[str] = []

    def listen(records: Sequence[OutputRecord]) -> None:
        told.extend(line for record in records if record.origin.task is None for line in record.lines)
        if any("the end" in record.lines for record in records):
            printed.set()

    bound = printing.bind(ballast=str(ballast))
    settings = RunSettings(
        store=folder / "store",
        output=OutputSettings(listener=listen, capture_prints=True),
        on_blocked=lambda error: blocked.append(str(error)),
    )
    result = await execute(make_plan(printing.graph, bound.params), printing, settings=settings)
    records = list(SqliteStore(folder / "store").open_run(result.run_id).output_records())
    return {
        "status": result.status.value,
        "free_bytes": result.value,
        "reserve_bytes": DISK_BYTES // RESERVE_PART,
        "blocked": blocked,
        "told": told,
        "kept": sum(len(record.lines) for record in records if record.origin.task == "much"),
        "dropped": sum(record.dropped for record in records),
        "later": sum(len(record.lines) for record in records if record.origin.task == "more"),
    }


if __name__ == "__main__":
    logging.getLogger("actorflow").addHandler(logging.NullHandler())
    place = Path(sys.argv[1])
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(place)], check=True)
    print(json.dumps(anyio.run(main, place)))
