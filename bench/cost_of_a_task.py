"""Which part of a no-op `async` task's cost is state, actor, journal, value or loop. Prints JSON, us a task.

Each part is driven alone for as many tasks as the whole; `rest` is what the whole costs beyond them: the coordinator,
the stage, messages between them, the writer thread.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from random import Random

import anyio

import actorflow
from actorflow import Actor, ActorSystem, handler
from actorflow.flows.plan import make_plan
from actorflow.runs.events import AttemptFinished, AttemptStarted
from actorflow.runs.executor import AttemptState, Cause, Outcome
from actorflow.runs.instructions import Instruction, StartAttempt
from actorflow.runs.journal import Journal
from actorflow.runs.memory_log import MemoryLog
from actorflow.runs.run_state import RunState
from actorflow.runs.values import Value
from bench import _noop_dags as dags

TASKS = 10_000
IN_FLIGHT = 256
REPEATS = int(os.environ.get("BENCH_REPEATS", "5"))


def median_us(part: Callable[[], None]) -> float:
    part()
    seconds: list[float] = []
    for _ in range(REPEATS):
        before = time.perf_counter()
        part()
        seconds.append(time.perf_counter() - before)
    return round(statistics.median(seconds) / TASKS * 1e6, 2)


def loop() -> None:
    async def nothing() -> None: ...

    async def main() -> None:
        await asyncio.gather(*(asyncio.create_task(nothing()) for _ in range(TASKS)))

    asyncio.run(main())


def state() -> None:
    bound = dags.fan.bind(width=TASKS)
    run = RunState(make_plan(bound.dag.graph, bound.params), "bench", slots={"async": IN_FLIGHT}, rng=Random(1))
    running: deque[StartAttempt] = deque()

    def take(instructions: list[Instruction]) -> None:
        running.extend(said for said in instructions if isinstance(said, StartAttempt))

    take(run.begin(now_s=0.0))
    while running:
        attempt = running.popleft().attempt
        value = Value.of(list(range(TASKS)) if attempt.step == "seed" else attempt.map_index)
        outcome = Outcome(state=AttemptState.succeeded, cause=Cause.ran, value=value)
        take(run.attempt_ended(attempt.step, attempt.map_index, attempt.number, outcome, started_at=0.0, now_s=0.0))


def journal() -> None:
    async def main() -> None:
        log = Journal(MemoryLog("bench"), max_queued_events=10 * TASKS)
        for index in range(TASKS):
            log.append(AttemptStarted("noop", index, 1, "async"))
            end = AttemptFinished(
                task="noop",
                map_index=index,
                attempt=1,
                state=AttemptState.succeeded,
                cause=Cause.ran,
                value=Value.from_bytes(b"\x01"),
            )
            log.append(end)

    anyio.run(main)


def value() -> None:
    for index in range(TASKS):
        Value.of(index).data()


class Child(Actor):
    """Takes one message, then ends, as an attempt does."""

    def __init__(self, done: Callable[[], None]) -> None:
        self.done = done

    @handler
    async def work(self) -> None:
        self.done()
        self.context.stop()


class Parent(Actor):
    """Keeps as many children going as an executor has slots."""

    def __init__(self, over: anyio.Event) -> None:
        self.over = over
        self.ended = 0

    @handler
    async def begin(self) -> None:
        for _ in range(IN_FLIGHT):
            self.start()

    def start(self) -> None:
        self.context.spawn_nowait(partial(Child, self.one_ended), restart="temporary").try_tell(Child.work)

    def one_ended(self) -> None:
        self.ended += 1
        if self.ended == TASKS:
            self.over.set()
        elif self.ended <= TASKS - IN_FLIGHT:
            self.start()


def actor() -> None:
    async def main() -> None:
        over = anyio.Event()
        async with ActorSystem() as system:
            parent = await system.spawn(partial(Parent, over))
            await parent.tell(Parent.begin)
            await over.wait()

    anyio.run(main)


def whole() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-", dir=os.environ.get("BENCH_STORE")) as store:
        assert actorflow.run(dags.fan.bind(width=TASKS), store=store).status == "succeeded"


def main() -> None:
    parts = {"state": state, "actor": actor, "journal": journal, "value": value}
    found = {name: median_us(part) for name, part in parts.items()}
    total = median_us(whole)
    report = {
        "tasks": TASKS,
        "repeats": REPEATS,
        "us_per_task": {**found, "rest": round(total - sum(found.values()), 2), "whole": total},
        "loop_alone_us": median_us(loop),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
