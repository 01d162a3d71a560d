"""May a failed attempt be followed by another, and after what wait?

Each cause has a budget of its own, so a lost worker never spends the retries meant for the user's own errors.

| cause | budget | restarts allowed | asked of `retry_on` |
|---|---|---|---|
| error, timed_out | errors | `Retry.attempts` - 1 | yes |
| timed_out in the queue | none | 0: it has waited as long as it may | no |
| lost, before it ran on a worker | lost | 3 | no |
| lost, with the worker it ran on | lost | 3, but none after the third worker: it is poison | no |
| out_of_memory | memory | `Retry.memory`; else 1 where the quota grows, else 0 | no |
| bad_output, bad_input | none | 0: the same would happen again | no |
| cancelled | none | 0: somebody asked for it | no |

What is spent follows from the events of the run alone: `spend` is told the outcome of each attempt that failed. The
wait is the supervisors' own Backoff, by the number of the restart in its budget.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from actorflow.flows.graph import RetryPolicy, Step
from actorflow.flows.memory import memory_restarts
from actorflow.runs.executor import Cause, ErrorRecord, Outcome
from actorflow.runs.time_limit import QUEUE_TIMEOUT

LOST_WORKER_RESTARTS = 3
POISON_AFTER = 3
"""Workers that one task instance may end before it is started no more."""

_TIMEOUT_BASES = ("builtins:TimeoutError", "builtins:OSError", "builtins:Exception", "builtins:BaseException")


@dataclass(slots=True)
class Spent:
    """How many attempts of one task instance failed, by budget. workers: those that it took with it."""

    errors: int = 0
    lost: int = 0
    workers: int = 0
    memory: int = 0

    @property
    def is_poison(self) -> bool:
        return self.workers >= POISON_AFTER


def spend(outcome: Outcome, spent: Spent) -> int:
    """Count a failed attempt against the budget of its cause; how many that budget has seen, 0 where there is none."""
    match outcome.cause:
        case Cause.error | Cause.timed_out:
            spent.errors += 1
            return spent.errors
        case Cause.lost:
            spent.lost += 1
            spent.workers += bool(outcome.worker)
            return spent.lost
        case Cause.out_of_memory:
            spent.memory += 1
            return spent.memory
        case _:
            return 0


def next_attempt_in_s(step: Step, outcome: Outcome, spent: Spent, rng: Random) -> float | None:
    """Seconds until the next attempt; None when this failure, which `spent` counts from here on, is the last."""
    number = spend(outcome, spent)
    if not number or number > _restarts_allowed(step, outcome) or (outcome.cause is Cause.lost and spent.is_poison):
        return None
    return step.retry.backoff.delay_s(number, rng)


def named(outcome: Outcome, spent: Spent) -> Outcome:
    """The last failure of an instance as its task tells it: a poison task says that it is one."""
    if outcome.cause is not Cause.lost or not spent.is_poison:
        return outcome
    error = outcome.error or ErrorRecord(type="actorflow:LostAttempt", message="its worker ended")
    message = f"it has ended {spent.workers} workers and is not started again; {error.message}"
    return replace(outcome, error=replace(error, message=message))


def lost_too_often(label: str, spent: Spent) -> ErrorRecord:
    """What an instance fails with that is not started again when its run is taken up unattended."""
    message = f"{label} was lost {spent.lost} times with the process that ran it, and is not started again"
    return ErrorRecord(type="actorflow:LostAttempt", message=message)


def _restarts_allowed(step: Step, outcome: Outcome) -> int:
    match outcome.cause:
        case Cause.error | Cause.timed_out:
            return step.retry.attempts - 1 if _is_retried(step.retry, outcome) else 0
        case Cause.lost:
            return LOST_WORKER_RESTARTS
        case Cause.out_of_memory:
            return memory_restarts(step)
        case _:
            return 0


def _is_retried(policy: RetryPolicy, outcome: Outcome) -> bool:
    if outcome.error is not None and outcome.error.type == QUEUE_TIMEOUT:
        return False
    if policy.retry_on is None:
        return True
    bases = outcome.error.bases if outcome.error is not None else ()
    if outcome.cause is Cause.timed_out:
        bases = (*bases, *_TIMEOUT_BASES)
    return not set(policy.retry_on).isdisjoint(bases)
