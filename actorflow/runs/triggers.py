"""Trigger rules: may a step run, now that every direct upstream is terminal?

"failed" counts failed, upstream_failed and cancelled. A step without upstreams runs under every rule.

| rule | runs when | else upstream_failed when | else |
|---|---|---|---|
| all_success | all succeeded | any failed | skipped |
| all_done, always | always | - | - |
| all_failed | all failed | - | skipped |
| one_success, all_done_min_one_success | any succeeded | any failed | skipped |
| one_failed | any failed | - | skipped |
| none_failed | none failed | any failed | - |
| none_failed_min_one_success | none failed, any succeeded | any failed | skipped |

Source: Airflow's rules of the same names, but judged only when all upstreams are terminal: an early verdict breaks
joins below a condition. So one_success and all_done_min_one_success coincide.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from actorflow.flows.graph import TriggerRule
from actorflow.runs.states import TaskState

_FAILED = frozenset({TaskState.failed, TaskState.upstream_failed, TaskState.cancelled})


class Verdict(StrEnum):
    """What a trigger rule says."""

    run = "run"
    skip = "skip"
    upstream_failed = "upstream_failed"


@dataclass(frozen=True, slots=True)
class Upstreams:
    """How many direct upstreams ended how."""

    succeeded: int = 0
    failed: int = 0
    skipped: int = 0

    @property
    def total(self) -> int:
        return self.succeeded + self.failed + self.skipped


def count(states: Iterable[TaskState]) -> Upstreams:
    """Sort terminal states into the three kinds that the rules know; ValueError for one that is not terminal."""
    succeeded = failed = skipped = 0
    for state in states:
        if state is TaskState.succeeded:
            succeeded += 1
        elif state in _FAILED:
            failed += 1
        elif state is TaskState.skipped:
            skipped += 1
        else:
            raise ValueError(f"a trigger rule is judged when every upstream is terminal, not while one is {state}")
    return Upstreams(succeeded, failed, skipped)


def judge(rule: TriggerRule, upstreams: Upstreams) -> Verdict:
    """The verdict of `rule` on its upstreams; the table is in the module's docstring."""
    if upstreams.total == 0:
        return Verdict.run
    match rule:
        case TriggerRule.all_done | TriggerRule.always:
            return Verdict.run
        case TriggerRule.all_success:
            return _run_if(upstreams.succeeded == upstreams.total, upstreams)
        case TriggerRule.all_failed:
            return Verdict.run if upstreams.failed == upstreams.total else Verdict.skip
        case TriggerRule.one_failed:
            return Verdict.run if upstreams.failed else Verdict.skip
        case TriggerRule.one_success | TriggerRule.all_done_min_one_success:
            return _run_if(upstreams.succeeded > 0, upstreams)
        case TriggerRule.none_failed:
            return _run_if(upstreams.failed == 0, upstreams)
        case TriggerRule.none_failed_min_one_success:
            return _run_if(upstreams.failed == 0 and upstreams.succeeded > 0, upstreams)
    assert_never(rule)


def _run_if(met: bool, upstreams: Upstreams) -> Verdict:
    if met:
        return Verdict.run
    return Verdict.upstream_failed if upstreams.failed else Verdict.skip
