"""The conformance kit for run stores: what every RunStore promises, as checks to run on yours.

    @pytest.mark.anyio
    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    async def test_my_store_keeps_its_promises(check: Check) -> None:
        await check(MyStore())

A check is given a store without runs, and returns or raises AssertionError. None depends on how fast anything is.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

import anyio
from anyio.lowlevel import checkpoint

from actorflow.actors.codec import EncodeError
from actorflow.runs.events import (
    AttemptFinished,
    AttemptStarted,
    Event,
    Record,
    RecordedParam,
    RecordedTask,
    RunFinished,
    RunStarted,
    TaskFinished,
    TaskReady,
)
from actorflow.runs.executor import AttemptState, Cause, ErrorRecord, Frame
from actorflow.runs.journal import Journal
from actorflow.runs.run_query import RunQuery, RunSort, page_of
from actorflow.runs.states import RunStatus, TaskState
from actorflow.runs.store import RunStore
from actorflow.runs.store_errors import AmbiguousRun, RunInUse, RunNotFound, StoreError
from actorflow.runs.values import Value

E = TypeVar("E", bound=BaseException)

Check = Callable[[RunStore], Awaitable[None]]

FAILURE = ErrorRecord(
    type="builtins:OSError",
    message="no route \udcff",
    bases=("builtins:Exception",),
    traceback="Traceback",
    frames=(Frame("dag.py", 3, "fetch", "raise OSError", False),),
)


def started(run_id: str, *, dag: str = "census", width: int | None = None) -> list[Event]:
    """The beginning of a run of two steps: `census`, mapped, of `width` once it is known, and `summarise`."""
    tasks = (
        RecordedTask(name="census", task="dag:census", executor="async", mapped="path"),
        RecordedTask(name="summarise", task="dag:summarise", executor="async", upstream=("census",), depth=1),
    )
    params = {"top": RecordedParam(Value.of(10), "-p")}
    header = RunStarted(run_id=run_id, dag=dag, file="dag.py", module="dag", params=params, tasks=tasks)
    return [header] if width is None else [header, TaskReady("census", width)]


def attempt(index: int, number: int = 1, *, value: object = None, retry_in_s: float | None = None) -> list[Event]:
    """One attempt of `census[index]`, its start and its end; with `retry_in_s` it failed and is to be repeated."""
    failed = retry_in_s is not None
    return [
        AttemptStarted("census", index, number, "async"),
        AttemptFinished(
            task="census",
            map_index=index,
            attempt=number,
            state=AttemptState.failed if failed else AttemptState.succeeded,
            cause=Cause.error if failed else Cause.ran,
            error=FAILURE if failed else None,
            worker="worker-1",
            peak_rss_bytes=1 << 33,
            cpu_s=0.25,
            started=1.5,
            value=None if failed else Value.of(value),
            final=not failed,
            retry_in_s=retry_in_s,
        ),
    ]


def finished(run_id: str, result: object = None) -> Event:
    """The end of a run that succeeded."""
    return RunFinished(run_id=run_id, status=RunStatus.succeeded, cause=Cause.ran, result=Value.of(result))


@asynccontextmanager
async def writing(journal: Journal) -> AsyncGenerator[None]:
    """Its writer runs inside; the journal is closed at the end."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.write)
        yield
        await journal.close()


async def record(store: RunStore, events: Sequence[Event], run_id: str | None = None) -> str:
    """Write a run of these events, close it, and give its id."""
    journal = store.create_run(run_id)
    async with writing(journal):
        for event in events:
            journal.append(event)
    return journal.run_id


async def events_come_back_in_order_as_they_were(store: RunStore) -> None:
    events = [*started("r1", width=2), *attempt(0, retry_in_s=0.5), *attempt(0, 2, value={"n": (1, {2})}), *attempt(1)]
    events += [TaskFinished("summarise", None, TaskState.skipped, Cause.condition, FAILURE), finished("r1", [1])]

    await record(store, events, "r1")

    records = list(store.open_run("r1").records())
    assert [found.event for found in records] == events
    assert [found.seq for found in records] == list(range(1, len(events) + 1))
    assert [found.ts for found in records] == sorted(found.ts for found in records)


async def append_numbers_the_events_from_one(store: RunStore) -> None:
    journal = store.create_run()
    async with writing(journal):
        assert [journal.append(event) for event in started(journal.run_id, width=3)] == [1, 2]
        assert journal.last_seq == 2


async def what_is_synced_can_be_read_while_the_run_goes_on(store: RunStore) -> None:
    journal = store.create_run()
    async with writing(journal):
        seq = [journal.append(event) for event in started(journal.run_id, width=1)][-1]
        await journal.synced(seq)

        assert [found.seq for found in store.open_run(journal.run_id).records()] == [1, 2]
        assert journal.synced_seq == 2


async def observers_hear_every_event_once_and_only_when_it_can_be_read(store: RunStore) -> None:
    journal = store.create_run()
    heard: list[Record] = []
    readable: list[bool] = []

    def observe(records: Sequence[Record]) -> None:
        heard.extend(records)
        readable.append(len(list(store.open_run(journal.run_id).records())) >= records[-1].seq)

    journal.subscribe(observe)
    async with writing(journal):
        for event in started(journal.run_id, width=50):
            journal.append(event)
        for index in range(50):
            for event in attempt(index):
                journal.append(event)
            await checkpoint()

    assert heard == list(store.open_run(journal.run_id).records())
    assert readable
    assert all(readable)


async def closing_writes_what_was_only_appended(store: RunStore) -> None:
    journal = store.create_run("r1")
    for event in started("r1"):
        journal.append(event)

    await journal.close()

    assert len(list(store.open_run("r1").records())) == 1


async def a_value_that_cannot_be_encoded_is_refused_and_leaves_no_trace(store: RunStore) -> None:
    journal = store.create_run("r1")
    async with writing(journal):
        refusal = _raises(EncodeError, lambda: journal.append(finished("r1", [object()])))
        assert refusal.path == "result[0]"
        journal.append(finished("r1"))

    assert len(list(store.open_run("r1").records())) == 1


async def a_run_has_one_owner_until_it_is_closed(store: RunStore) -> None:
    journal = store.create_run("r1")

    _raises(RunInUse, lambda: store.reopen_run("r1"))
    _raises(StoreError, lambda: store.create_run("r1"))

    await journal.close()
    await store.reopen_run("r1").close()


async def a_reopened_run_goes_on_where_it_ended(store: RunStore) -> None:
    await record(store, [*started("r1", width=2), *attempt(0)], "r1")

    journal = store.reopen_run("r1")
    async with writing(journal):
        assert journal.last_seq == 4
        for event in [*attempt(1), finished("r1")]:
            journal.append(event)

    assert [found.seq for found in store.open_run("r1").records()] == list(range(1, 8))
    assert store.runs()[0].tasks == {"succeeded": 2, "pending": 1}


async def runs_are_found_by_id_by_unique_prefix_and_as_the_last(store: RunStore) -> None:
    for run_id in ("20260101-a", "20260102-b", "20260102-c"):
        await record(store, started(run_id), run_id)

    assert store.open_run("20260102-b").run_id == "20260102-b"
    assert store.open_run("20260101").run_id == "20260101-a"
    assert store.open_run("@last").run_id == "20260102-c"
    ambiguous = _raises(AmbiguousRun, lambda: store.open_run("20260102"))
    assert ambiguous.run_ids == ("20260102-b", "20260102-c")


async def a_name_that_no_run_has_is_refused(store: RunStore) -> None:
    for name in ("@last", "nothing", ""):
        _raises(RunNotFound, partial(store.open_run, name))
    assert store.runs() == []


async def a_run_without_an_end_is_running_while_owned_and_interrupted_after(store: RunStore) -> None:
    journal = store.create_run("r1")
    async with writing(journal):
        seqs = [journal.append(event) for event in [*started("r1", width=2), *attempt(0)[:1]]]
        await journal.synced(seqs[-1])
        assert store.open_run("r1").history().status is RunStatus.running
        assert store.runs()[0].status is RunStatus.running
        assert store.runs()[0].tasks == {"pending": 2, "running": 1}

    assert store.open_run("r1").history().status is RunStatus.interrupted
    assert store.runs()[0].status is RunStatus.interrupted
    assert store.runs()[0].tasks == {"pending": 3}


async def summaries_say_the_same_as_the_history(store: RunStore) -> None:
    events = [*started("r1", width=3), *attempt(0), *attempt(1, retry_in_s=0.0), *attempt(1, 2)]
    events += [TaskFinished("census", 2, TaskState.cancelled, Cause.cancelled)]
    events += [TaskFinished("summarise", None, TaskState.skipped, Cause.upstream), finished("r1")]
    await record(store, events, "r1")

    (summary,) = store.runs()
    history = store.open_run("r1").history()

    states = [task.state.value for task in history.tasks]
    assert dict(summary.tasks) == {state: states.count(state) for state in set(states)}
    assert (summary.run_id, summary.dag, summary.status) == (history.run_id, history.dag, history.status)
    assert (summary.started, summary.ended) == (history.started, history.ended)


async def runs_are_listed_newest_first(store: RunStore) -> None:
    """By their start, whatever they are called."""
    for run_id in ("20260102-b", "20260101-a", "20260103-c"):
        await record(store, [*started(run_id), finished(run_id)], run_id)

    assert [summary.run_id for summary in store.runs()] == ["20260103-c", "20260101-a", "20260102-b"]


async def a_value_of_any_size_comes_back_as_it_was(store: RunStore) -> None:
    values = [b"", b"x" * 100_000, "y" * 3_000_000, [b"x" * 100_000, b"x" * 100_000]]
    events = [each for index, value in enumerate(values) for each in attempt(index, value=value)]
    await record(store, [*started("r1", width=len(values)), *events, finished("r1", values)], "r1")

    stored = store.open_run("r1")
    ended = [found.event for found in stored.records() if isinstance(found.event, AttemptFinished)]
    result = stored.history().result

    assert [None if event.value is None else event.value.get() for event in ended] == values
    assert result is not None
    assert result.get() == values


async def events_can_be_read_from_any_of_them_on(store: RunStore) -> None:
    events = [*started("r1", width=3), *attempt(0), *attempt(1), finished("r1")]
    await record(store, events, "r1")
    stored = store.open_run("r1")

    for first in range(1, len(events) + 3):
        assert [found.event for found in stored.records(first)] == events[first - 1 :]


async def runs_are_found_by_what_they_were(store: RunStore) -> None:
    for number, dag in enumerate(("etl", "report", "etl")):
        run_id = f"2026010{number}-a"
        await record(store, [*started(run_id, dag=dag, width=1), *attempt(0), finished(run_id)], run_id)

    page = store.find_runs(RunQuery(dags=frozenset({"etl"}), params={"top": "10"}, limit=1))

    assert [run.run_id for run in page.runs] == ["20260102-a"]
    assert page.total == 2
    for query in (RunQuery(sort=RunSort.dag, ascending=True), RunQuery(text="REPORT"), RunQuery(offset=1, limit=1)):
        assert store.find_runs(query) == page_of(query, store.runs())


async def two_runs_in_one_store_are_written_side_by_side(store: RunStore) -> None:
    first, second = store.create_run(), store.create_run()
    async with writing(first), writing(second):
        for index in range(20):
            first.append(attempt(index)[0])
            second.append(attempt(index)[1])
            await checkpoint()

    assert len(list(store.open_run(first.run_id).records())) == 20
    assert len(list(store.open_run(second.run_id).records())) == 20


def _raises(kind: type[E], act: Callable[[], object]) -> E:
    try:
        result = act()
    except kind as exc:
        return exc
    raise AssertionError(f"expected {kind.__name__}, not the result {result!r:.80}")


CHECKS: tuple[Check, ...] = (
    events_come_back_in_order_as_they_were,
    append_numbers_the_events_from_one,
    what_is_synced_can_be_read_while_the_run_goes_on,
    observers_hear_every_event_once_and_only_when_it_can_be_read,
    closing_writes_what_was_only_appended,
    a_value_that_cannot_be_encoded_is_refused_and_leaves_no_trace,
    a_run_has_one_owner_until_it_is_closed,
    a_reopened_run_goes_on_where_it_ended,
    runs_are_found_by_id_by_unique_prefix_and_as_the_last,
    a_name_that_no_run_has_is_refused,
    a_run_without_an_end_is_running_while_owned_and_interrupted_after,
    summaries_say_the_same_as_the_history,
    runs_are_listed_newest_first,
    a_value_of_any_size_comes_back_as_it_was,
    events_can_be_read_from_any_of_them_on,
    runs_are_found_by_what_they_were,
    two_runs_in_one_store_are_written_side_by_side,
)
