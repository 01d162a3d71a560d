"""One execution of one task instance, as a temporary actor: it takes one message, reports once, and ends."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from actorflow.actors.actor import Actor
from actorflow.actors.handler import handler
from actorflow.hot_value import hot_value
from actorflow.runs.executor import AttemptSpec, Executor, Outcome
from actorflow.runs.journal import Journal


@hot_value
class Report:
    """How an attempt ended. started_at: epoch seconds."""

    step: str
    map_index: int | None
    number: int
    outcome: Outcome
    started_at: float


Reporter = Callable[[Report], Awaitable[None]]


class Attempt(Actor):
    """Executes `spec` and reports the outcome.

    Where its executor wants the start announced, it waits until row `journal_seq`, its own start, is on disk: a task
    that takes the machine down must still have been counted.
    """

    def __init__(
        self, spec: AttemptSpec, executor: Executor, journal: Journal, journal_seq: int, report: Reporter
    ) -> None:
        self.spec = spec
        self.executor = executor
        self.journal = journal
        self.journal_seq = journal_seq
        self.report = report

    @handler
    async def execute(self) -> None:
        if self.executor.capabilities.announced:
            await self.journal.synced(self.journal_seq)
        started_at = time.time()
        outcome = await self.executor.execute(self.spec)
        spec = self.spec
        await self.report(Report(spec.step, spec.map_index, spec.number, outcome, outcome.started_at or started_at))
        self.context.stop()
