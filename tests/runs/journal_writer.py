"""A process that writes a journal until it is ended, and tells what is acknowledged.

`journal_writer.py STORE LOOP [MAX_FILE_BYTES]`

Each acknowledged seq is printed on a line of its own, after `synced` has returned or an observer was called. Where
files may not grow beyond MAX_FILE_BYTES, room is not waited for.
"""

from __future__ import annotations

import os
import resource
import sys
from functools import partial

import anyio
from anyio.lowlevel import checkpoint

from actorflow.runs.journal import Journal
from actorflow.runs.store import SqliteStore
from actorflow.runs.store_errors import StoreError
from actorflow.testing.stores import attempt, started


def tell(line: str) -> None:
    os.write(1, f"{line}\n".encode())


async def main(store: str) -> None:
    make_journal = partial(Journal, max_queued_events=200, full_limit_s=0.0)
    journal = SqliteStore(store, make_journal=make_journal).create_run("r1")
    journal.subscribe(lambda records: tell(str(records[-1].seq)))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.write)
        for event in started("r1", width=1_000_000):
            journal.append(event)
        index = 0
        while True:
            for _ in range(index % 40 + 1):
                for event in attempt(index, value="x" * (index % 700)):
                    journal.append(event)
                index += 1
            await journal.room()
            if index % 7 == 0:
                await journal.synced(journal.last_seq)
                tell(str(journal.last_seq))
            await checkpoint()


if __name__ == "__main__":
    if len(sys.argv) > 3:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
    try:
        anyio.run(main, sys.argv[1], backend=sys.argv[2])
    except* StoreError as group:
        for error in group.exceptions:
            tell(f"{type(error).__name__}: {error}")
        sys.exit(9)
