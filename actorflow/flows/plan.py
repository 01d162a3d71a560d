"""Plan: a graph with values for its parameters and an executor for each step; `actorflow plan` stops here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from actorflow.flows.checks import in_topological_order, structure_faults
from actorflow.flows.faults import Code, Fault, FlowFaults, did_you_mean, in_order
from actorflow.flows.graph import Graph, Output, Step, TaskKind, outputs_in
from actorflow.flows.params import BoundParam as BoundParam
from actorflow.flows.params import bind_params


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorTraits:
    """What an executor can do.

    stop: a running attempt can be ended, so timeouts hold. quota: memory of an attempt is limited.
    kinds: the bodies it can call. imports: attempts run in another process, which has to import the task.
    """

    stop: bool
    quota: bool
    kinds: frozenset[TaskKind]
    imports: bool = False


_BOTH = frozenset(TaskKind)
INLINE = "inline"
KNOWN_EXECUTORS: Mapping[str, ExecutorTraits] = {
    INLINE: ExecutorTraits(stop=False, quota=False, kinds=_BOTH),
    "async": ExecutorTraits(stop=True, quota=False, kinds=frozenset({TaskKind.coroutine})),
    "thread": ExecutorTraits(stop=False, quota=False, kinds=frozenset({TaskKind.sync})),
    "process": ExecutorTraits(stop=True, quota=True, kinds=_BOTH, imports=True),
}
_DEFAULTS = {TaskKind.sync: "process", TaskKind.coroutine: "async"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStep:
    """A step with its place in the plan.

    depth: the longest path from a source, which has 0. elementwise: the mapped upstream step whose index i feeds index
    i of this mapped step, where what is mapped over is exactly its output; else None.
    """

    step: Step
    executor: str
    depth: int
    upstream: tuple[str, ...]
    downstream: tuple[str, ...]
    elementwise: str | None
    kept: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run is started with.

    params: a value for every parameter. steps: in topological order. notes: sentences for the header of the run.
    """

    graph: Graph
    params: Mapping[str, BoundParam]
    steps: tuple[PlannedStep, ...]
    notes: tuple[str, ...]


def make_plan(
    graph: Graph,
    params: Mapping[str, BoundParam],
    *,
    executor: str | None = None,
    executors: Mapping[str, ExecutorTraits] = KNOWN_EXECUTORS,
) -> Plan:
    """The plan of a run; raises FlowFaults with everything that is wrong.

    executor: where steps run that name none. It gives way to "process" for a step with a quota, and to the default of
    its kind for a step whose body it cannot call; "inline" overrides every choice, and a note says what it leaves out.
    """
    bound, faults = bind_params(graph.params, params, graph.location)
    faults += graph_faults(graph.steps, executor=executor, executors=executors)
    if faults:
        raise FlowFaults(faults)
    return Plan(
        graph=graph,
        params=bound,
        steps=_planned(graph, executor, executors),
        notes=_notes(graph.steps, executor),
    )


def graph_faults(
    steps: Sequence[Step],
    *,
    executor: str | None = None,
    executors: Mapping[str, ExecutorTraits] = KNOWN_EXECUTORS,
) -> list[Fault]:
    """Everything that is wrong with the steps, whatever the parameters: structure, executors, limits."""
    return list(in_order([*structure_faults(steps), *executor_faults(steps, executor=executor, executors=executors)]))


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
    if step.timeout_s is not None and not traits.stop:
        message = f"step `{step.name}` has a timeout, but on the executor `{name}` nothing that runs can be stopped"
        help = 'give the task executor="process", or leave the timeout out'
        faults.append(Fault(Code.timeout_not_enforced, message, step.location, help))
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


def _others(kind: TaskKind, executors: Mapping[str, ExecutorTraits]) -> str:
    return f"executors that can: {', '.join(name for name, traits in executors.items() if kind in traits.kinds)}"


def _planned(graph: Graph, executor: str | None, executors: Mapping[str, ExecutorTraits]) -> tuple[PlannedStep, ...]:
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
        )
        for step in steps
    )


def _elementwise(step: Step, mapped: set[str]) -> str | None:
    if step.mapped is None:
        return None
    over = dict(step.inputs)[step.mapped]
    return over.step if isinstance(over, Output) and over.step in mapped else None


def _notes(steps: Sequence[Step], executor: str | None) -> tuple[str, ...]:
    if executor != INLINE:
        return ()
    limits = [f"memory of {step.name}" for step in steps if step.memory_bytes is not None]
    limits += [f"timeout of {step.name}" for step in steps if step.timeout_s is not None]
    return (f"inline does not enforce: {', '.join(limits)}",) if limits else ()
