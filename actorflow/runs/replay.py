"""Replay, decided: which results of a former run a new one takes over instead of running their steps. Pure.

| a step | its results |
|---|---|
| is replayed from, or comes after one that is | run anew |
| reads a parameter whose value is another one, or comes after such a step | run anew |
| any other | taken over, as far as they are committed |

A large value that is kept no more is made anew where a step that runs would read it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from actorflow.flows.faults import Code, did_you_mean, refused
from actorflow.flows.graph import DictOf, Graph, Input, ListOf, Param
from actorflow.flows.plan import Plan
from actorflow.runs.restore import Past, PastStage
from actorflow.runs.selection import downstream_of
from actorflow.runs.states import RunStatus
from actorflow.runs.values import Value


def run_anew(graph: Graph, start: Sequence[str], changed: Collection[str]) -> set[str]:
    """The steps that are not taken over. start: those replayed from. changed: parameters with another value.

    Raises FlowFaults for a step that there is not.
    """
    names = [step.name for step in graph.steps]
    for name in start:
        if name not in names:
            message = f"dag `{graph.name}` has no step `{name}` to replay from"
            raise refused(Code.unknown_selection, message, graph.location, did_you_mean(name, names))
    readers = [step.name for step in graph.steps if any(set(params_in(it)) & set(changed) for _, it in step.inputs)]
    return downstream_of(graph, [*start, *readers])


def taken_over(past: Past, plan: Plan, anew: Collection[str], is_kept: Callable[[Value], bool]) -> Past:
    """What the new run begins with. is_kept: whether a value can still be read."""
    stages: dict[str, PastStage] = {}
    runs = {planned.step.name for planned in plan.steps}
    for planned in reversed(plan.steps):
        name = planned.step.name
        stage = past.stages.get(name)
        if name in anew or stage is None or not stage.results or not planned.is_selected:
            continue
        is_read = planned.kept or any(reader in runs for reader in planned.downstream)
        found = _reused(stage, is_kept, is_read=is_read)
        if found.results:
            stages[name] = found
        if found.is_over:
            runs.discard(name)
    return replace(past, stages=stages, status=RunStatus.queued, failure=None, used_s=0.0, end=None)


def _reused(stage: PastStage, is_kept: Callable[[Value], bool], *, is_read: bool) -> PastStage:
    """Its results; of those that nobody will read the value may be gone."""
    results: dict[int, Value] = {}
    for index, value in stage.results.items():
        if is_kept(value):
            results[index] = value
        elif not is_read:
            results[index] = Value.of(None)
    return PastStage(width=stage.width, results=results, reused=True)


def params_in(value: Input) -> Iterator[str]:
    """Names of the parameters that `value` needs."""
    match value:
        case Param(name):
            yield name
        case ListOf(items):
            for item in items:
                yield from params_in(item)
        case DictOf(items):
            for _, item in items:
                yield from params_in(item)
        case _:
            return


def other_values(before: Mapping[str, Value], now: Mapping[str, object]) -> set[str]:
    """The parameters whose value is another one by now."""
    return {name for name, value in now.items() if name not in before or before[name] != Value.of(value)}
