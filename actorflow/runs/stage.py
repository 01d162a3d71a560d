"""A step in a running run, as an actor: its attempts are its children."""

from __future__ import annotations

import time
from functools import partial

from actorflow.actors.actor import Actor
from actorflow.actors.handler import handler
from actorflow.actors.monitor import Down
from actorflow.actors.ref import ActorRef
from actorflow.runs.attempt import Attempt, Report, Reporter
from actorflow.runs.error_record import error_record
from actorflow.runs.executor import AttemptSpec, AttemptState, Cause, ErrorRecord, Executor, Outcome
from actorflow.runs.journal import Journal
from actorflow_supervisors import Crashed, ExitReason, InitFailed, Normal, Restart, Shutdown, describe

CANCEL_GRACE_S = 10.0
"""How long a cancelled attempt may take to end before it is killed, or abandoned where it cannot be."""


class Stage(Actor):
    """Starts each attempt as a temporary child, and speaks for one that ended without having reported.

    grace_s: how long a cancelled attempt may take to end.
    """

    def __init__(self, executor: Executor, journal: Journal, report: Reporter, grace_s: float = CANCEL_GRACE_S) -> None:
        self.executor = executor
        self.journal = journal
        self.report = report
        self.grace_s = grace_s
        self.attempts: dict[ActorRef[Attempt], tuple[AttemptSpec, float]] = {}

    @handler
    async def start(self, specs: list[AttemptSpec], journal_seq: int) -> None:
        """Begin attempts; the rows of the journal up to `journal_seq` record them."""
        for spec in specs:
            self._begin(spec, journal_seq)

    def _begin(self, spec: AttemptSpec, journal_seq: int) -> None:
        factory = partial(Attempt, spec, self.executor, self.journal, journal_seq, self.report)
        index = "" if spec.map_index is None else f"{spec.map_index}."
        ref = self.context.spawn_nowait(
            factory, name=f"{index}{spec.number}", restart=Restart.temporary, shutdown_s=self.grace_s
        )
        self.attempts[ref] = spec, time.time()
        self.context.monitor(ref)
        ref.try_tell(Attempt.execute)

    @handler
    async def cancel(self, map_index: int | None, number: int) -> None:
        """End that attempt if it still runs."""
        for ref, (spec, _) in self.attempts.items():
            if spec.map_index == map_index and spec.number == number:
                self.context.stop_child_nowait(ref)

    @handler
    async def settled(self) -> None:
        """Answered once everything said to this stage before has been done: what it was told to end starts no more."""

    async def down(self, down: Down) -> None:
        spec, started_at = self.attempts.pop(down.ref)
        outcome = outcome_of(down.reason)
        if outcome is not None:
            await self.report(Report(spec.step, spec.map_index, spec.number, outcome, started_at))


def outcome_of(reason: ExitReason) -> Outcome | None:
    """What an attempt's exit says where the attempt itself could not; None where it has reported."""
    match reason:
        case Normal():
            return None
        case Shutdown():
            return Outcome(state=AttemptState.cancelled, cause=Cause.cancelled)
        case Crashed(error) | InitFailed(error):
            return Outcome(state=AttemptState.failed, cause=Cause.error, error=error_record(error))
        case _:
            record = ErrorRecord(type="actorflow:LostAttempt", message=describe(reason))
            return Outcome(state=AttemptState.failed, cause=Cause.lost, error=record)
