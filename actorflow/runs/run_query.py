"""Which runs are asked for, in which order: filters, sort and page as a value, and what they mean. Pure.

The catalog answers a query by its indexes; `page_of` says what every answer must be, and answers where there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from actorflow.runs.states import RunStatus
from actorflow.runs.tally import RunSummary


class RunSort(StrEnum):
    """What runs are ordered by; those that are equal, or lack it, by their ids."""

    started = "started"
    duration = "duration"
    dag = "dag"
    status = "status"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQuery:
    """Runs that every filter lets through; an empty one lets all.

    since, until: epoch seconds of the start, the first included, the second not. params, tags: by name, each as text
    (`RunSummary.params`). text: anywhere in id, dag, file, parameters, tags or the first failure, in whatever case.
    ascending: the least, or oldest, first. limit: at most so many, None for all; offset: after the first so many.
    """

    statuses: frozenset[RunStatus] = frozenset()
    dags: frozenset[str] = frozenset()
    since: float | None = None
    until: float | None = None
    params: Mapping[str, str] = field(default_factory=dict[str, str])
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    text: str = ""
    sort: RunSort = RunSort.started
    ascending: bool = False
    limit: int | None = None
    offset: int = 0


class RunPage(NamedTuple):
    """Some runs of those asked for. total: how many there are on all pages."""

    runs: list[RunSummary]
    total: int


def searched_text(run: RunSummary) -> str:
    """Where `RunQuery.text` is looked for, in one case."""
    pairs = [f"{name}={value}" for given in (run.params, run.tags) for name, value in given.items()]
    return "\n".join([run.run_id, run.dag, run.file, run.error, run.problem, *pairs]).casefold()


def matches(query: RunQuery, run: RunSummary) -> bool:
    """True if every filter lets it through."""
    return (
        (not query.statuses or run.status in query.statuses)
        and (not query.dags or run.dag in query.dags)
        and (query.since is None or (run.started is not None and run.started >= query.since))
        and (query.until is None or (run.started is not None and run.started < query.until))
        and query.params.items() <= run.params.items()
        and query.tags.items() <= run.tags.items()
        and query.text.casefold() in searched_text(run)
    )


def page_of(query: RunQuery, runs: Iterable[RunSummary]) -> RunPage:
    """The page asked for, out of all runs."""
    found = sorted((run for run in runs if matches(query, run)), key=_ORDER[query.sort], reverse=not query.ascending)
    end = None if query.limit is None else query.offset + query.limit
    return RunPage(found[query.offset : end], len(found))


def ended_after_s(run: RunSummary) -> float | None:
    """How long it took; None without an end."""
    return None if run.started is None or run.ended is None else run.ended - run.started


_ORDER: Final[Mapping[RunSort, Callable[[RunSummary], tuple[object, ...]]]] = {
    RunSort.started: lambda run: (run.started is not None, run.started or 0.0, run.run_id),
    RunSort.duration: lambda run: ((ended_after_s(run) is not None, ended_after_s(run) or 0.0), run.run_id),
    RunSort.dag: lambda run: (run.dag, run.run_id),
    RunSort.status: lambda run: (run.status.value, run.run_id),
}
