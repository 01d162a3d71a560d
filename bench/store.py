"""A store of many runs: a page of `runs`, a filter, the newest by name; JSON on stdout.

    python -m bench.store [--runs 100000] [--repeat 7]

`fill_s` is what it takes to find runs that the catalog does not know, from their anchors. `page` is the default page
after that, `after_a_run` the page when a run has ended since; the limit of the same machine is `listdir`, the names
alone. `verify` checks one run of `--rows` rows. `spill` is a value of 8 MiB to its file and back, beside the bare
write, fsync and read. Times are medians, in ms.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio

from actorflow.runs.anchor import anchor_bytes, anchor_path, read_anchor
from actorflow.runs.large_values import ValueFiles
from actorflow.runs.run_check import check_run
from actorflow.runs.run_query import RunQuery, RunSort
from actorflow.runs.states import RunStatus
from actorflow.runs.store import SqliteStore
from actorflow.testing.stores import attempt, finished, record, started

PAGE = RunQuery(limit=50)
SEEDS = 4
VALUE_BYTES = 8 * 1024 * 1024


def median_ms(call: Callable[[], object], repeat: int) -> float:
    took: list[float] = []
    for _ in range(repeat):
        began = time.perf_counter()
        call()
        took.append((time.perf_counter() - began) * 1000)
    return round(statistics.median(took), 2)


def fill(store: SqliteStore, count: int) -> None:
    """So many finished runs, each with an anchor of its own; their journals are links to a few."""
    for kind in range(SEEDS):
        run_id, events = f"seed-{kind}", [*attempt(0), *attempt(1), *attempt(2)]
        begun = started(run_id, dag=f"dag-{kind}", width=3)
        anyio.run(record, store, [*begun, *events, finished(run_id)], run_id)
    anchors = [read_anchor(store.journal_path(f"seed-{kind}")) for kind in range(SEEDS)]
    for number in range(count):
        anchor = anchors[number % SEEDS]
        assert anchor is not None
        path = store.journal_path(f"2026{number:07}")
        os.link(store.journal_path(anchor.run_id), path)
        times = {"started": 1e9 + number, "ended": 1e9 + 2 * number}
        summary = {**(anchor.summary or {}), **times, "run_id": path.stem}
        anchor_path(path).write_bytes(anchor_bytes(replace(anchor, run_id=path.stem, summary=summary)))


def pages(store: SqliteStore, repeat: int) -> dict[str, float]:
    queries = {
        "page": PAGE,
        "page_20": RunQuery(limit=50, offset=1000),
        "by_status": RunQuery(limit=50, statuses=frozenset({RunStatus.failed})),
        "by_dag": RunQuery(limit=50, dags=frozenset({"dag-1"})),
        "by_duration": RunQuery(limit=50, sort=RunSort.duration),
        "by_text": RunQuery(limit=50, text="dag-1"),
        "by_param": RunQuery(limit=50, params={"top": "10"}),
    }
    found = {name: median_ms(partial(store.find_runs, query), repeat) for name, query in queries.items()}
    found["last_by_name"] = median_ms(lambda: store.open_run("@last"), repeat)
    found["after_a_run"] = after_a_run(store, repeat)
    return found


def after_a_run(store: SqliteStore, repeat: int) -> float:
    """The page when a run has ended since the last look."""
    took: list[float] = []
    for number in range(repeat):
        run_id = f"2027-{number}-{time.monotonic_ns()}"
        anyio.run(record, store, [*started(run_id, width=1), *attempt(0), finished(run_id)], run_id)
        took.append(median_ms(lambda: store.find_runs(PAGE), 1))
    return round(statistics.median(took), 2)


def verifying(folder: Path, rows: int) -> dict[str, float]:
    store = SqliteStore(folder / "verify")
    events = [*started("r1", width=rows // 2), *(each for n in range(rows // 2) for each in attempt(n, value="x" * 40))]
    anyio.run(record, store, [*events, finished("r1")], "r1")
    began = time.perf_counter()
    check = check_run(store.journal_path("r1"), lambda: False)
    took_s = time.perf_counter() - began
    assert check.is_sound
    return {"rows_per_s": round(check.rows / took_s), "mib_per_s": round(check.size_bytes / took_s / 2**20, 1)}


def spilling(folder: Path, repeat: int) -> dict[str, float]:
    data = os.urandom(VALUE_BYTES)
    files = ValueFiles(folder / "spill.sqlite")
    digest = b"\0" * 32

    def written() -> None:
        files.remove(digest)
        files.write(digest, data)

    def bare() -> None:
        with (folder / "bare").open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    return {
        "write_ms": median_ms(written, repeat),
        "bare_write_ms": median_ms(bare, repeat),
        "read_ms": median_ms(lambda: files.read(digest), repeat),
    }


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--repeat", type=int, default=7)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        store = SqliteStore(Path(name) / "store")
        fill(store, chosen.runs)
        began = time.perf_counter()
        store.find_runs(PAGE)
        fill_s = time.perf_counter() - began
        time.sleep(0.2)  # the folder's time is trusted once it is a tenth of a second old
        store.find_runs(PAGE)
        report = {
            "runs": chosen.runs,
            "fill_s": round(fill_s, 2),
            "ms": pages(store, chosen.repeat),
            "listdir_ms": median_ms(lambda: os.listdir(store.folder), chosen.repeat),
            "verify": verifying(Path(name), chosen.rows),
            "spill": spilling(Path(name), chosen.repeat),
        }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
