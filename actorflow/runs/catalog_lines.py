"""The lines of a catalog: what stands in them, and a query as SQL."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from actorflow.runs.run_query import RunQuery, RunSort, ended_after_s, searched_text
from actorflow.runs.tally import RunSummary

SCHEMA: Final = (
    """CREATE TABLE runs(
        run_id TEXT PRIMARY KEY, dag TEXT, status TEXT, started REAL, duration REAL,
        searched TEXT, summary TEXT, stamp TEXT, lasting INTEGER, digest BLOB) WITHOUT ROWID""",
    "CREATE INDEX runs_by_dag ON runs(dag, run_id)",
    "CREATE INDEX runs_by_status ON runs(status, run_id)",
    "CREATE INDEX runs_by_duration ON runs(duration, run_id)",
    "CREATE INDEX runs_by_start ON runs(started)",
    "CREATE INDEX runs_without_end ON runs(run_id) WHERE lasting = 0",
    "CREATE TABLE facts(kind TEXT, name TEXT, value TEXT, run_id TEXT, "
    "PRIMARY KEY(kind, name, value, run_id)) WITHOUT ROWID",
    "CREATE INDEX facts_of_a_run ON facts(run_id)",
    "CREATE TABLE looked(key TEXT PRIMARY KEY, value) WITHOUT ROWID",
)

_HAS_FACT: Final = (
    "EXISTS (SELECT 1 FROM facts WHERE kind = ? AND name = ? AND value = ? AND facts.run_id = runs.run_id)"
)
_PARAM: Final = "param"
_TAG: Final = "tag"
_ORDER: Final = {
    RunSort.started: "started",
    RunSort.duration: "duration",
    RunSort.dag: "dag",
    RunSort.status: "status",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A run's row of `runs`, and its rows of `facts`."""

    run_id: str
    row: tuple[object, ...]
    facts: list[tuple[str, str, str, str]]


def line_of(run: RunSummary, stamp: str, *, lasting: bool) -> Line:
    """The line of a run whose files look like `stamp`."""
    summary = json.dumps(run.to_json(run.ended or 0.0))
    searched = _storable(searched_text(run))
    took_s = ended_after_s(run)
    row = (run.run_id, _storable(run.dag), run.status.value, run.started, took_s, searched, summary, stamp)
    named = [(_PARAM, run.params), (_TAG, run.tags)]
    facts = [
        (kind, _storable(name), _storable(value), run.run_id) for kind, given in named for name, value in given.items()
    ]
    return Line(run.run_id, (*row, int(lasting), _digest(*row, int(lasting))), facts)


def lines_of(rows: Iterable[Any]) -> Iterator[tuple[str, RunSummary | None, str, bool]]:
    """(run id, summary, stamp, lasting) of each row; the summary is None where the row is not what was written."""
    for *row, digest in rows:
        sound = digest == _digest(*row)
        yield str(row[0]), RunSummary.from_json(json.loads(row[6])) if sound else None, str(row[7]), bool(row[8])


def clauses(query: RunQuery) -> tuple[str, list[object]]:
    """The WHERE of a query, and what it is given; "" where nothing is filtered."""
    found: list[str] = []
    given: list[object] = []
    for column, wanted in (("status", [status.value for status in query.statuses]), ("dag", query.dags)):
        if wanted:
            found.append(f"{column} IN ({', '.join('?' * len(wanted))})")
            given += map(_storable, sorted(wanted))
    for sign, moment in ((">=", query.since), ("<", query.until)):
        if moment is not None:
            found.append(f"started {sign} ?")
            given.append(moment)
    for kind, facts in ((_PARAM, query.params), (_TAG, query.tags)):
        for name, value in facts.items():
            found.append(_HAS_FACT)
            given += [kind, _storable(name), _storable(value)]
    if query.text:
        found.append("instr(searched, ?) > 0")
        given.append(_storable(query.text.casefold()))
    return (f"WHERE {' AND '.join(found)}" if found else ""), given


def ordering(query: RunQuery) -> str:
    """The ORDER BY of a query."""
    way = "ASC" if query.ascending else "DESC"
    return f"ORDER BY {_ORDER[query.sort]} {way}, run_id {way}"


def _storable(text: str) -> str:
    """SQLite keeps no half of a surrogate pair, which a file's name may hold."""
    return text.encode("utf-8", "replace").decode()


def _digest(*fields: object) -> bytes:
    """What tells a line that was damaged; such a run is read again."""
    return hashlib.sha256("\0".join(map(str, fields)).encode("utf-8", "surrogatepass")).digest()
