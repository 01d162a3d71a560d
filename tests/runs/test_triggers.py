"""Trigger rules: a row of the table each."""

from __future__ import annotations

import pytest

from actorflow.flows.graph import TriggerRule
from actorflow.runs.states import TaskState
from actorflow.runs.triggers import Upstreams, Verdict, count, judge

OK, FAILED, SKIPPED = Upstreams(succeeded=2), Upstreams(failed=2), Upstreams(skipped=2)
MIXED_FAIL, MIXED_SKIP, ALL_KINDS = Upstreams(1, 1, 0), Upstreams(1, 0, 1), Upstreams(1, 1, 1)
FAIL_SKIP = Upstreams(0, 1, 1)
RUN, SKIP, UF = Verdict.run, Verdict.skip, Verdict.upstream_failed

COLUMNS = (OK, FAILED, SKIPPED, MIXED_FAIL, MIXED_SKIP, FAIL_SKIP, ALL_KINDS)
ROWS = {
    TriggerRule.all_success: (RUN, UF, SKIP, UF, SKIP, UF, UF),
    TriggerRule.all_done: (RUN, RUN, RUN, RUN, RUN, RUN, RUN),
    TriggerRule.always: (RUN, RUN, RUN, RUN, RUN, RUN, RUN),
    TriggerRule.all_failed: (SKIP, RUN, SKIP, SKIP, SKIP, SKIP, SKIP),
    TriggerRule.one_success: (RUN, UF, SKIP, RUN, RUN, UF, RUN),
    TriggerRule.all_done_min_one_success: (RUN, UF, SKIP, RUN, RUN, UF, RUN),
    TriggerRule.one_failed: (SKIP, RUN, SKIP, RUN, SKIP, RUN, RUN),
    TriggerRule.none_failed: (RUN, UF, RUN, UF, RUN, UF, UF),
    TriggerRule.none_failed_min_one_success: (RUN, UF, SKIP, UF, RUN, UF, UF),
}


def test_every_rule_has_its_row() -> None:
    assert set(ROWS) == set(TriggerRule)


@pytest.mark.parametrize("rule", ROWS)
@pytest.mark.parametrize("column", range(len(COLUMNS)))
def test_a_rule_says_what_its_row_says(rule: TriggerRule, column: int) -> None:
    assert judge(rule, COLUMNS[column]) is ROWS[rule][column]


@pytest.mark.parametrize("rule", TriggerRule)
def test_a_step_without_upstreams_runs_under_every_rule(rule: TriggerRule) -> None:
    assert judge(rule, Upstreams()) is Verdict.run


def test_upstream_failed_and_cancelled_count_as_failed() -> None:
    counted = count([TaskState.failed, TaskState.upstream_failed, TaskState.cancelled, TaskState.succeeded])

    assert counted == Upstreams(succeeded=1, failed=3, skipped=0)


@pytest.mark.parametrize("state", [TaskState.pending, TaskState.queued, TaskState.running, TaskState.up_for_retry])
def test_a_verdict_before_the_upstream_is_terminal_is_refused(state: TaskState) -> None:
    with pytest.raises(ValueError, match=str(state)):
        count([state])
