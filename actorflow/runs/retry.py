"""May a failed attempt be followed by another, and after what wait?

Each cause has a budget of its own, so a lost worker never spends the retries meant for the user's own errors.

| cause | restarts allowed | asked of `retry_on` |
|---|---|---|
| error, timed_out | `attempts` - 1 | yes |
| lost | 3 | no |
| out_of_memory, bad_output, bad_input | 0: the same would happen again | no |
| cancelled | 0: somebody asked for it | no |

The count and the wait are the supervisors' own: RestartIntensity over an endless window, and Backoff.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from random import Random

from actorflow.flows.graph import RetryPolicy
from actorflow.runs.executor import Cause, Outcome
from actorflow_supervisors import RestartIntensity

LOST_WORKER_RESTARTS = 3
_TIMEOUT_BASES = ("builtins:TimeoutError", "builtins:OSError", "builtins:Exception", "builtins:BaseException")


@dataclass(slots=True)
class Restarts:
    """When one task instance was restarted, by budget; seconds of a monotonic clock."""

    error_s: list[float] = field(default_factory=list[float])
    lost_s: list[float] = field(default_factory=list[float])


def next_attempt_in_s(
    policy: RetryPolicy, outcome: Outcome, restarts: Restarts, *, now_s: float, rng: Random
) -> float | None:
    """Seconds until the next attempt, noted in `restarts`; None when this failure is the task's last."""
    match outcome.cause:
        case Cause.error | Cause.timed_out:
            if not _is_retried(policy, outcome):
                return None
            spent, allowed = restarts.error_s, policy.attempts - 1
        case Cause.lost:
            spent, allowed = restarts.lost_s, LOST_WORKER_RESTARTS
        case _:
            return None
    if not RestartIntensity(max_restarts=allowed, max_seconds=math.inf).allows(spent, now_s):
        return None
    spent.append(now_s)
    return policy.backoff.delay_s(len(spent), rng)


def _is_retried(policy: RetryPolicy, outcome: Outcome) -> bool:
    if policy.retry_on is None:
        return True
    bases = outcome.error.bases if outcome.error is not None else ()
    if outcome.cause is Cause.timed_out:
        bases = (*bases, *_TIMEOUT_BASES)
    return not set(policy.retry_on).isdisjoint(bases)
