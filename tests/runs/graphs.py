"""Small graphs for tests of the run: hand-built steps, planned by the real planner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from actorflow.flows.graph import (
    Const,
    Graph,
    Input,
    Location,
    Output,
    RetryPolicy,
    Step,
    TaskKind,
    TriggerRule,
)
from actorflow.flows.limits import RunLimits
from actorflow.flows.plan import KNOWN_EXECUTORS, Plan, make_plan
from actorflow.runs.executor import AttemptState, Cause, ErrorRecord, Outcome
from actorflow.runs.values import Value

HERE = Location(__file__, 1)


def step(
    name: str,
    *upstream: str,
    rule: TriggerRule = TriggerRule.all_success,
    retry: RetryPolicy | None = None,
    max_in_flight: int | None = None,
) -> Step:
    """A plain step that reads the outputs of `upstream`."""
    return Step(
        name=name,
        task=f"tests:{name}",
        kind=TaskKind.coroutine,
        location=HERE,
        inputs=tuple((f"p{number}", Output(source)) for number, source in enumerate(upstream)),
        trigger_rule=rule,
        retry=retry or RetryPolicy(),
        max_in_flight=max_in_flight,
    )


def mapped(
    name: str,
    over: Input | str | Sequence[object],
    *upstream: str,
    rule: TriggerRule = TriggerRule.all_success,
    retry: RetryPolicy | None = None,
    max_in_flight: int | None = None,
) -> Step:
    """A mapped step over a list, or over the output of the step named; `upstream` are its constants."""
    if isinstance(over, str):
        items: Input = Output(over)
    elif isinstance(over, Sequence):
        items = Const(list(over))
    else:
        items = over
    constants = tuple((f"p{number}", Output(source)) for number, source in enumerate(upstream))
    return Step(
        name=name,
        task=f"tests:{name}",
        kind=TaskKind.coroutine,
        location=HERE,
        inputs=(("item", items), *constants),
        mapped="item",
        trigger_rule=rule,
        retry=retry or RetryPolicy(),
        max_in_flight=max_in_flight,
    )


def plan_of(
    *steps: Step, result: Input | None = None, executor: str | None = None, quotas: bool = False, **limits: Any
) -> Plan:
    """quotas: the executor `async` limits memory, for once. limits: of the run, as `RunLimits` takes them."""
    graph = Graph(
        name="test",
        module="tests",
        location=HERE,
        params=(),
        steps=steps,
        result=result if result is not None else Const(None),
    )
    executors = {
        name: replace(traits, quota=traits.quota or (quotas and name == "async"))
        for name, traits in KNOWN_EXECUTORS.items()
    }
    return make_plan(graph, {}, executor=executor, executors=executors, limits=RunLimits(**limits), cpu_ids=range(4))


def ok(value: object = None) -> Outcome:
    return Outcome(state=AttemptState.succeeded, cause=Cause.ran, value=Value.of(value))


def failing(cause: Cause = Cause.error, *bases: str) -> Outcome:
    record = ErrorRecord(type="builtins:ValueError", message="no", bases=("builtins:ValueError", *bases))
    return Outcome(state=AttemptState.failed, cause=cause, error=record)


def cancelled() -> Outcome:
    return Outcome(state=AttemptState.cancelled, cause=Cause.cancelled)
