"""Resume, decided: may a recorded run go on with the graph that its file holds by now, and what has changed in it?

| status recorded | a person | unattended |
|---|---|---|
| succeeded | nothing to do | nothing to do |
| failed, cancelled | goes on | nothing to do |
| any other: its owner is gone | goes on | goes on; paused stays so, a cancel is finished |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from actorflow.actors.errors import ActorflowError
from actorflow.flows.graph import Graph, Step
from actorflow.flows.limits import RunLimits
from actorflow.flows.params import BoundParam
from actorflow.flows.plan import KNOWN_EXECUTORS
from actorflow.flows.structure import Structure, structure_of
from actorflow.runs.events import RecordedTask, RunStarted
from actorflow.runs.restore import Past
from actorflow.runs.states import RunStatus


class ResumeRefused(ActorflowError):
    """A run that cannot go on as it is asked to. message: what is wrong. help: the way out."""

    def __init__(self, message: str, help: str) -> None:
        self.message = message
        self.help = help
        super().__init__(f"{message}; {help}")


class StructureChanged(ResumeRefused):
    """The dag is another one than the run was started with. changes: what differs, a line each."""

    def __init__(self, run_id: str, changes: tuple[str, ...], asked: str = "resumed") -> None:
        self.changes = changes
        shown = "".join(f"\n  {change}" for change in changes)
        message = f"run {run_id} cannot be {asked}: the dag has changed since it was started{shown}"
        super().__init__(message, f"undo that, or start anew with the same parameters: actorflow replay {run_id}")


def has_to_do(past: Past, *, unattended: bool) -> bool:
    """False for a run that is over and stays so; see the table."""
    if past.status is RunStatus.succeeded:
        return False
    return not (unattended and past.is_over)


def require_same_structure(header: RunStarted, graph: Graph, asked: str = "resumed") -> None:
    """Raises StructureChanged with all that differs. Of a run of an older version only tasks and edges are known."""
    found = structure_of(graph)
    if header.structure and header.structure == found.hash:
        return
    changes = tuple(structure_changes(header, graph, found))
    if changes or header.structure:
        changes = changes or ("~ what it returns, or the type of a parameter",)
        raise StructureChanged(header.run_id, changes, asked)


def structure_changes(header: RunStarted, graph: Graph, found: Structure) -> Iterator[str]:
    """What differs between a recorded run and a graph: `+` for new, `-` for gone, `~` for changed."""
    known = {task.name: task for task in header.tasks}
    steps = {step.name: step for step in graph.steps}
    yield from (f"- step `{name}` is gone" for name in known if name not in steps)
    yield from (f"+ step `{name}` is new" for name in steps if name not in known)
    for name, step in steps.items():
        if name in known:
            yield from _step_changes(known[name], step, found.steps[name])
    params = {param.name for param in graph.params}
    yield from (f"- parameter `{name}` is gone" for name in header.params if name not in params)
    yield from (f"+ parameter `{name}` is new" for name in sorted(params - set(header.params)))


def _step_changes(task: RecordedTask, step: Step, digest: str) -> Iterator[str]:
    if task.structure == digest:
        return
    told = False
    if task.task != step.task:
        told = True
        yield f"~ step `{step.name}` calls `{step.task}`, and called `{task.task}`"
    if set(task.upstream) != set(step.upstream()):
        told = True
        yield f"~ step `{step.name}` waits for {_names(step.upstream())}, and waited for {_names(task.upstream)}"
    if task.mapped != step.mapped:
        told = True
        yield f"~ step `{step.name}` maps over {step.mapped or 'nothing'}, and mapped over {task.mapped or 'nothing'}"
    if not told and task.structure:
        yield f"~ step `{step.name}` has other arguments or another trigger rule"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "nothing"


def changed_sources(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """The digests of the tasks whose text differs from what is recorded; one that is not recorded is no change."""
    return {ref: digest for ref, digest in now.items() if ref in before and before[ref] != digest}


def recorded_params(header: RunStarted) -> dict[str, BoundParam]:
    """The parameters as the run was given them, with their sources. Raises DecodeError for a type that is gone."""
    return {name: BoundParam(param.value.get(), param.source) for name, param in header.params.items()}


def limits_over(header: RunStarted, asked: RunLimits) -> RunLimits:
    """What the run may take as a whole: what is asked, else as it was started. One of an older version has no limits
    recorded; then its dag says."""
    recorded = header.limits
    if recorded.default_memory_bytes is None:
        return asked
    return RunLimits(
        timeout=recorded.timeout_s or 0 if asked.timeout is None else asked.timeout,
        max_memory=recorded.max_memory_bytes or 0 if asked.max_memory is None else asked.max_memory,
        default_memory=recorded.default_memory_bytes if asked.default_memory is None else asked.default_memory,
        max_cpus=recorded.max_cpus if asked.max_cpus is None else asked.max_cpus,
    )


def with_recorded_executors(graph: Graph, header: RunStarted) -> Graph:
    """The graph with each step where it ran, as far as that can call what the step is by now."""
    executors = {task.name: task.executor for task in header.tasks}
    return replace(graph, steps=tuple(_placed(step, executors.get(step.name)) for step in graph.steps))


def _placed(step: Step, executor: str | None) -> Step:
    traits = KNOWN_EXECUTORS.get(executor or "")
    if traits is None or step.kind not in traits.kinds or executor == step.executor:
        return step
    return replace(step, executor=executor)
