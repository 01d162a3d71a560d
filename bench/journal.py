"""The journal beside what the disk and SQLite give bare, in one run; JSON on stdout.

    python -m bench.journal [--backend asyncio|trio] [--rows 20000] [--repeat 5]

`grouped` appends the two events of each attempt and waits for nothing but `room`, with full sync, until the last row is
on disk; `observed` does so with an observer; `single` waits for each row before the next. Limits of the same machine:
`executemany` puts as many equal rows, chained and unchained, into a table in one synced transaction; `fsync` is an
append of one row to a file and its fsync. Times are medians of `--repeat` rounds; us is microseconds for each event.
`make` is the events' own construction, which `append` does not do.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import anyio
from anyio.lowlevel import checkpoint

from actorflow.runs.chain import genesis, link
from actorflow.runs.event_rows import decode_row, encode_row
from actorflow.runs.events import AttemptFinished, AttemptStarted, Event, Record, RecordedTask, RunStarted, TaskReady
from actorflow.runs.executor import AttemptState, Cause
from actorflow.runs.history import fold
from actorflow.runs.journal import Journal
from actorflow.runs.memory_log import MemoryLog
from actorflow.runs.store import SqliteStore
from actorflow.runs.tally import Tally
from actorflow.runs.values import Value

VALUE = Value.of({"lines": 120, "functions": 7})
ROUND = 64
"""Events between two looks at `room`, as a coordinator appends what a handful of reports lead to."""


def header(width: int) -> list[Event]:
    task = RecordedTask(name="census", task="dag:census", executor="async", mapped="path")
    return [RunStarted(run_id="r1", dag="d", file="dag.py", module="dag", tasks=(task,)), TaskReady("census", width)]


def start_of(index: int) -> Event:
    return AttemptStarted("census", index, 1, "async")


def end_of(index: int) -> Event:
    return AttemptFinished(
        task="census",
        map_index=index,
        attempt=1,
        state=AttemptState.succeeded,
        cause=Cause.ran,
        started=1.0,
        value=VALUE,
    )


def events(count: int) -> list[Event]:
    return [make(index) for index in range(count // 2) for make in (start_of, end_of)]


async def grouped(given: Sequence[Event], folder: Path, *, observed: bool) -> dict[str, float]:
    """Seconds until all is on disk, seconds spent inside `append`, groups."""
    groups: list[int] = []
    journal = SqliteStore(folder).create_run("r1")
    if observed:
        journal.subscribe(lambda records: groups.append(len(records)))
    for event in header(len(given)):
        journal.append(event)
    appending_s = took_s = 0.0
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.write)
        await journal.synced(journal.last_seq)
        began = time.perf_counter()
        for first in range(0, len(given), ROUND):
            before = time.perf_counter()
            for event in given[first : first + ROUND]:
                journal.append(event)
            appending_s += time.perf_counter() - before
            await journal.room()
            await checkpoint()
        await journal.synced(journal.last_seq)
        took_s = time.perf_counter() - began
        await journal.close()
    return {"took_s": took_s, "appending_s": appending_s, "groups": float(len(groups))}


async def single(given: Sequence[Event], folder: Path) -> dict[str, float]:
    """Seconds when every event waits for the one before to be on disk."""
    journal = SqliteStore(folder).create_run("r1")
    took_s = 0.0
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.write)
        before = time.perf_counter()
        for event in given:
            await journal.synced(journal.append(event))
        took_s = time.perf_counter() - before
        await journal.close()
    return {"took_s": took_s}


async def appended(given: Sequence[Event]) -> dict[str, float]:
    """Seconds of `append` alone: nobody writes."""
    journal = Journal(MemoryLog("r1"))
    before = time.perf_counter()
    for event in given:
        journal.append(event)
    return {"took_s": time.perf_counter() - before}


def executemany(rows: Sequence[bytes], folder: Path, *, chained: bool) -> float:
    folder.mkdir()
    with closing(sqlite3.connect(folder / "raw.sqlite", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE events(seq INTEGER PRIMARY KEY, data BLOB NOT NULL, digest BLOB NOT NULL)")
        before = time.perf_counter()
        head = genesis("r1")
        given: list[tuple[int, bytes, bytes]] = []
        for seq, row in enumerate(rows, 1):
            head = link(head, row) if chained else head
            given.append((seq, row, head))
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO events VALUES (?, ?, ?)", given)
        connection.execute("COMMIT")
        return time.perf_counter() - before


def fsyncs(row: bytes, folder: Path, count: int = 200) -> float:
    folder.mkdir()
    with (folder / "raw").open("ab", buffering=0) as file:
        before = time.perf_counter()
        for _ in range(count):
            file.write(row)
            os.fsync(file.fileno())
        return (time.perf_counter() - before) / count


def timed(call: Callable[[], object]) -> float:
    before = time.perf_counter()
    call()
    return time.perf_counter() - before


class Rounds:
    """Repeats each case and keeps the median."""

    def __init__(self, repeat: int, backend: str, folder: Path) -> None:
        self.repeat = repeat
        self.backend = backend
        self.folder = folder
        self.used = 0

    def new_folder(self) -> Path:
        self.used += 1
        return self.folder / str(self.used)

    def median(self, case: Callable[[], float]) -> float:
        return statistics.median(case() for _ in range(self.repeat))

    def medians(self, case: Callable[[], Awaitable[dict[str, float]]]) -> dict[str, float]:
        found = [anyio.run(case, backend=self.backend) for _ in range(self.repeat)]
        return {name: statistics.median(one[name] for one in found) for name in found[0]}


def measure(rounds: Rounds, count: int) -> dict[str, object]:
    given = events(count)
    rows = [encode_row(1.0, event) for event in given]
    records = [Record(seq, 1.0, event) for seq, event in enumerate([*header(count), *given], 1)]

    async def one_group_after_another() -> dict[str, float]:
        return await grouped(given, rounds.new_folder(), observed=False)

    async def with_an_observer() -> dict[str, float]:
        return await grouped(given, rounds.new_folder(), observed=True)

    async def one_by_one() -> dict[str, float]:
        return await single(given[:300], rounds.new_folder())

    def tally() -> None:
        counts = Tally("r1")
        for event in given:
            counts.apply(1.0, event)

    bare = count / rounds.median(lambda: executemany(rows, rounds.new_folder(), chained=False))
    chained = count / rounds.median(lambda: executemany(rows, rounds.new_folder(), chained=True))
    plain, observed = rounds.medians(one_group_after_another), rounds.medians(with_an_observer)
    alone = rounds.medians(partial(appended, given))
    grouped_per_s = count / plain["took_s"]

    def us_per_event(call: Callable[[], object]) -> float:
        return round(rounds.median(lambda: timed(call)) / count * 1e6, 2)

    return {
        "rows": count,
        "grouped_rows_per_s": round(grouped_per_s),
        "grouped_of_limit": round(grouped_per_s / chained, 2),
        "observed_rows_per_s": round(count / observed["took_s"]),
        "groups": observed["groups"],
        "single_rows_per_s": round(300 / rounds.medians(one_by_one)["took_s"]),
        "us_per_event": {
            "overall": round(plain["took_s"] / count * 1e6, 2),
            "append_beside_the_writer": round(plain["appending_s"] / count * 1e6, 2),
            "append_alone": round(alone["took_s"] / count * 1e6, 2),
            "of_which_row": us_per_event(lambda: [encode_row(1.0, event) for event in given]),
            "of_which_tally": us_per_event(tally),
            "make": us_per_event(lambda: events(count)),
            "read_and_decode": us_per_event(lambda: [decode_row(row) for row in rows]),
            "fold": us_per_event(lambda: fold("r1", records, owned=False)),
        },
        "row_bytes": round(statistics.mean(map(len, rows))),
        "limits": {
            "executemany_rows_per_s": round(bare),
            "executemany_chained_rows_per_s": round(chained),
            "fsync_p50_us": round(rounds.median(lambda: fsyncs(rows[1], rounds.new_folder())) * 1e6),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", choices=("asyncio", "trio"), default="asyncio")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-journal-", dir=os.environ.get("BENCH_STORE")) as folder:
        found = measure(Rounds(options.repeat, options.backend, Path(folder)), options.rows)
    python = sys.version.split()[0]
    print(json.dumps({"bench": "journal", "backend": options.backend, "python": python, **found}))


if __name__ == "__main__":
    main()
