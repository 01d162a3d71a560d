"""Plan: a graph with values for its parameters and an executor for each step; `actorflow plan` stops here."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from actorflow.flows.checks import in_topological_order, structure_faults
from actorflow.flows.faults import Code, Fault, FlowFaults, did_you_mean, in_order
from actorflow.flows.graph import Graph, Output, Step, TaskKind, TriggerRule, outputs_in
from actorflow.flows.limits import (
    NO_CAPS,
    NO_LIMITS,
    NO_NEED,
    Caps,
    Need,
    RunLimits,
    available_cpu_ids,
    caps_of,
    limit_faults,
    need_of,
)
from actorflow.flows.params import BoundParam as BoundParam
from actorflow.flows.params import bind_params
from actorflow.flows.sizes import format_size


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorTraits:
    """What an executor can do.

    stop: a running attempt can be ended, so timeouts hold. quota: memory of an attempt is limited. pins: an attempt can
    be held to CPUs of its own. kinds: the bodies it can call. imports: attempts run in another process, which has to
    import the task.
    """

    stop: bool
    quota: bool
    kinds: frozenset[TaskKind]
    imports: bool = False
    pins: bool = False


_BOTH = frozenset(TaskKind)
INLINE = "inline"
KNOWN_EXECUTORS: Mapping[str, ExecutorTraits] = {
    INLINE: ExecutorTraits(stop=False, quota=False, kinds=_BOTH),
    "async": ExecutorTraits(stop=True, quota=False, kinds=frozenset({TaskKind.coroutine})),
    "thread": ExecutorTraits(stop=False, quota=False, kinds=frozenset({TaskKind.sync})),
    "process": ExecutorTraits(stop=True, quota=True, kinds=_BOTH, imports=True, pins=hasattr(os, "sched_setaffinity")),
}
_DEFAULTS = {TaskKind.sync: "process", TaskKind.coroutine: "async"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStep:
    """A step with its place in the plan.

    depth: the longest path from a source, which has 0. elementwise: the mapped upstream step whose index i feeds index
    i of this mapped step, where what is mapped over is exactly its output; else None. need: what a first attempt counts
    for against the limits of the run. kept: part of the run's result. is_selected: False for one that was left out.
    """

    step: Step
    executor: str
    depth: int
    upstream: tuple[str, ...]
    downstream: tuple[str, ...]
    elementwise: str | None
    kept: bool = False
    need: Need = NO_NEED
    is_selected: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run is started with.

    params: a value for every parameter. steps: in topological order. notes: sentences for the header of the run.
    caps: the limits of the run as a whole. fail_fast: the first failure that counts ends the run.
    """

    graph: Graph
    params: Mapping[str, BoundParam]
    steps: tuple[PlannedStep, ...]
    notes: tuple[str, ...]
    caps: Caps = NO_CAPS
    fail_fast: bool = False

    @property
    def left_out(self) -> tuple[str, ...]:
        """The steps that are not selected."""
        return tuple(planned.step.name for planned in self.steps if not planned.is_selected)


def make_plan(
    graph: Graph,
    params: Mapping[str, BoundParam],
    *,
    executor: str | None = None,
    executors: Mapping[str, ExecutorTraits] = KNOWN_EXECUTORS,
    limits: RunLimits = NO_LIMITS,
    cpu_ids: Sequence[int] | None = None,
    left_out: Collection[str] = (),
    fail_fast: bool | None = None,
) -> Plan:
    """The plan of a run; raises FlowFaults with everything that is wrong.

    executor: where steps run that name none. It gives way to "process" for a step with a quota, and to the default of
    its kind for a step whose body it cannot call; "inline" overrides every choice, and a note says what it leaves out.
    cpu_ids: the CPUs that attempts may use; None: those that this process may. left_out: steps that are not selected.
    fail_fast: None: as the graph says.
    """
    bound, faults = bind_params(graph.params, params, graph.location)
    caps = caps_of(graph, limits, available_cpu_ids() if cpu_ids is None else cpu_ids)
    faults += graph_faults(graph.steps, executor=executor, executors=executors, caps=caps)
    if faults:
        raise FlowFaults(faults)
    steps = _planned(graph, executor, executors, caps, frozenset(left_out))
    return Plan(
        graph=graph,
        params=bound,
        steps=steps,
        notes=_notes(steps, executor, caps),
        caps=caps,
        fail_fast=graph.fail_fast if fail_fast is None else fail_fast,
    )


def graph_faults(
    steps: Sequence[Step],
    *,
    executor: str | None = None,
    executors: Mapping[str, ExecutorTraits] = KNOWN_EXECUTORS,
    caps: Caps = NO_CAPS,
) -> list[Fault]:
    """Everything that is wrong with the steps, whatever the parameters: structure, executors, limits."""
    faults = [*structure_faults(steps), *executor_faults(steps, executor=executor, executors=executors)]
    return list(in_order([*faults, *_cap_faults(steps, executor, executors, caps)]))


def executor_faults(
    steps: Sequence[Step],
    *,
    executor: str | None = None,
    executors: Mapping[str, ExecutorTraits] = KNOWN_EXECUTORS,
) -> list[Fault]:
    """What is wrong with where the steps are to run: unknown executors, bodies and limits they cannot serve."""
    faults: list[Fault] = []
    if executor is not None and executor not in executors:
        help = did_you_mean(executor, executors)
        faults.append(Fault(Code.unknown_executor, f"there is no executor `{executor}`", None, help))
        executor = None
    for step in steps:
        faults += _step_faults(step, executor, executors)
    return faults


def executor_of(step: Step, executor: str | None, executors: Mapping[str, ExecutorTraits] = KNOWN_EXECUTORS) -> str:
    """Where a step runs.

    | run's default | step names one | step has a quota | default can call it | the step runs in |
    |---------------|----------------|------------------|---------------------|------------------|
    | inline        | any            | any              | any                 | inline           |
    | any           | yes            | any              | any                 | its own          |
    | any           | no             | yes              | any                 | process          |
    | given         | no             | no               | yes                 | the run's        |
    | given         | no             | no               | no                  | as if not given  |
    | not given     | no             | no               | -                   | process (`def`), async (`async def`) |
    """
    if executor == INLINE:
        return INLINE
    if step.executor is not None:
        return step.executor
    if step.memory_bytes is not None:
        return "process"
    if executor is not None and step.kind in executors[executor].kinds:
        return executor
    return _DEFAULTS[step.kind]


def _step_faults(step: Step, executor: str | None, executors: Mapping[str, ExecutorTraits]) -> list[Fault]:
    name = executor_of(step, executor, executors)
    if name not in executors:
        message = f"step `{step.name}` names the executor `{name}`, which there is not"
        return [Fault(Code.unknown_executor, message, step.location, did_you_mean(name, executors))]
    if name == INLINE and executor == INLINE:
        return []
    traits = executors[name]
    faults: list[Fault] = []
    if step.kind not in traits.kinds:
        written = "an `async def`" if step.kind is TaskKind.coroutine else "a `def`"
        message = f"step `{step.name}` is {written}, which the executor `{name}` cannot call"
        faults.append(Fault(Code.wrong_executor, message, step.location, _others(step.kind, executors)))
    for limit, asked_s in (("timeout", step.timeout_s), ("deadline", step.deadline_s)):
        if asked_s is not None and not traits.stop:
            message = f"step `{step.name}` has a {limit}, but on the executor `{name}` nothing that runs can be stopped"
            help = f'give the task executor="process", or leave the {limit} out'
            faults.append(Fault(Code.timeout_not_enforced, message, step.location, help))
    faults += _affinity_faults(step, name, traits)
    if step.memory_bytes is not None and not traits.quota:
        message = f"step `{step.name}` has a memory quota, but the executor `{name}` cannot limit memory"
        help = 'give the task executor="process" or none, or leave the quota out'
        faults.append(Fault(Code.quota_not_enforced, message, step.location, help))
    if traits.imports and step.why_not_importable:
        why = f"{step.why_not_importable}, and no worker can import it from there"
        message = f"task `{step.name}` cannot run in a worker process: {why}"
        help = "move it to the top level of a module, or name an executor of this process: thread, async or inline"
        faults.append(Fault(Code.not_importable, message, step.location, help))
    return faults


def _affinity_faults(step: Step, name: str, traits: ExecutorTraits) -> list[Fault]:
    if not step.affinity:
        return []
    if not traits.pins:
        message = f"step `{step.name}` wants CPUs of its own, but the executor `{name}` cannot hold a task to them"
        help = 'give the task executor="process", or leave the affinity out'
        return [Fault(Code.affinity_not_enforced, message, step.location, help)]
    if step.cpus is None or not step.cpus.is_integer():
        message = f"step `{step.name}` wants CPUs of its own, but does not say how many whole ones"
        return [Fault(Code.affinity_not_enforced, message, step.location, "give the task cpus=1, or more")]
    return []


def _cap_faults(
    steps: Sequence[Step], executor: str | None, executors: Mapping[str, ExecutorTraits], caps: Caps
) -> list[Fault]:
    default = executor if executor in executors else None
    return [fault for step in steps for fault in limit_faults(step, executor_of(step, default, executors), caps)]


def _others(kind: TaskKind, executors: Mapping[str, ExecutorTraits]) -> str:
    return f"executors that can: {', '.join(name for name, traits in executors.items() if kind in traits.kinds)}"


def _planned(
    graph: Graph,
    executor: str | None,
    executors: Mapping[str, ExecutorTraits],
    caps: Caps,
    left_out: frozenset[str],
) -> tuple[PlannedStep, ...]:
    steps = in_topological_order(graph.steps)
    kept = frozenset(outputs_in(graph.result))
    upstream = {step.name: step.upstream() for step in steps}
    downstream: dict[str, list[str]] = {step.name: [] for step in steps}
    depth: dict[str, int] = {}
    for step in steps:
        depth[step.name] = max((depth[name] + 1 for name in upstream[step.name]), default=0)
        for name in upstream[step.name]:
            downstream[name].append(step.name)
    mapped = {step.name for step in steps if step.mapped is not None}
    return tuple(
        PlannedStep(
            step=step,
            executor=executor_of(step, executor, executors),
            depth=depth[step.name],
            upstream=upstream[step.name],
            downstream=tuple(downstream[step.name]),
            elementwise=_elementwise(step, mapped),
            kept=step.name in kept,
            need=need_of(step, executor_of(step, executor, executors), caps),
            is_selected=step.name not in left_out,
        )
        for step in steps
    )


def _elementwise(step: Step, mapped: set[str]) -> str | None:
    if step.mapped is None:
        return None
    over = dict(step.inputs)[step.mapped]
    return over.step if isinstance(over, Output) and over.step in mapped else None


def _notes(steps: Sequence[PlannedStep], executor: str | None, caps: Caps) -> tuple[str, ...]:
    return (*_limit_notes(steps, executor, caps), *_selection_notes(steps))


def _selection_notes(steps: Sequence[PlannedStep]) -> tuple[str, ...]:
    """A selected step that will be skipped all the same is no mistake, but seldom what was meant."""
    left_out = {planned.step.name for planned in steps if not planned.is_selected}
    skipped: set[str] = set()
    for planned in steps:
        missing = left_out | skipped
        if planned.is_selected and planned.step.trigger_rule is TriggerRule.all_success:
            skipped |= {planned.step.name} if missing.intersection(planned.upstream) else set()
    names = [planned.step.name for planned in steps if planned.step.name in skipped]
    return (f"skipped for want of what is left out: {', '.join(names)}",) if names else ()


def _limit_notes(steps: Sequence[PlannedStep], executor: str | None, caps: Caps) -> tuple[str, ...]:
    if executor == INLINE:
        left_out = _not_enforced(steps)
        return (f"inline does not enforce: {', '.join(left_out)}",) if left_out else ()
    undeclared = [planned.step.name for planned in steps if planned.need.memory_bytes and not planned.step.memory_bytes]
    if not undeclared or caps.max_memory_bytes is None:
        return ()
    counted = f"counted as {format_size(caps.default_memory_bytes)} of {format_size(caps.max_memory_bytes)}"
    return (f"no memory declared, {counted}: {', '.join(undeclared)}",)


def _not_enforced(steps: Sequence[PlannedStep]) -> list[str]:
    """What steps ask for that one attempt at a time in this thread cannot give."""
    asked: tuple[tuple[str, Callable[[Step], bool]], ...] = (
        ("memory", lambda step: step.memory_bytes is not None),
        ("timeout", lambda step: step.timeout_s is not None),
        ("deadline", lambda step: step.deadline_s is not None),
        ("affinity", lambda step: step.affinity),
    )
    return [f"{what} of {planned.step.name}" for what, is_asked in asked for planned in steps if is_asked(planned.step)]
