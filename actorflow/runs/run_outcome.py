"""Run outcome: what of a run that is over makes it a failure.

| a step | and it | the run |
|---|---|---|
| is critical | failed | failed |
| is a leaf, or part of the result | failed, was cancelled, or upstream_failed | failed |
| has others after it, which took its failure as their trigger rules say | failed | as those ended |
| allows its failure | failed | not failed for that |

A leaf is a step that nothing came after: what does is a cleanup, or was skipped. So a failure that nobody took, since
those who might were left out or their rule passed them over, is a failure; a cleanup that succeeds makes nothing good;
and one that fails is a failure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from actorflow.runs.decision import Failure
from actorflow.runs.executor import Cause
from actorflow.runs.stage_state import StageState
from actorflow.runs.states import TaskState

_BAD = frozenset({TaskState.failed, TaskState.upstream_failed, TaskState.cancelled})


def failing_steps(stages: Iterable[StageState]) -> list[StageState]:
    """The steps that fail a run whose steps are all terminal; none where it has succeeded."""
    return [stage for stage in stages if _fails(stage)]


def _fails(stage: StageState) -> bool:
    if stage.step.critical and stage.has_failed():
        return True
    return stage.outcome() in _BAD and (stage.planned.kept or _is_leaf(stage))


def _is_leaf(stage: StageState) -> bool:
    return all(after.step.cleanup or after.outcome() is TaskState.skipped for after in stage.downstream)


def what_failed(failing: Iterable[StageState], failures: Mapping[str, Failure]) -> Failure:
    """What a run is said to have failed of: the first failure of these steps or of one that they needed."""
    needed: set[str] = set()
    waiting = list(failing)
    while waiting:
        stage = waiting.pop()
        if stage.name not in needed:
            needed.add(stage.name)
            waiting += stage.upstream
    for name, failure in failures.items():
        if name in needed or not needed:
            return failure
    return ("", Cause.cancelled, None)
