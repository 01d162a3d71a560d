"""Settings: what flags, the environment and a profile say together; the nearer to the person wins.

Precedence, highest first: the flag, the environment (ACTORFLOW_STORE, ACTORFLOW_TRACE), the profile, the default.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from actorflow.cli.complaint import Complaint, Place, Remark
from actorflow.cli.options import UNLIMITED, GivenLimits, Selection
from actorflow.cli.profile import NO_PROFILE, Profile, read_profile
from actorflow.cli.recycle import recycling_of
from actorflow.flows.durations import seconds
from actorflow.flows.faults import FlowFaults, did_you_mean
from actorflow.flows.graph import Graph
from actorflow.flows.limits import NO_LIMITS, RunLimits
from actorflow.flows.params import BoundParam, parse_params
from actorflow.flows.plan import KNOWN_EXECUTORS, Plan, make_plan
from actorflow.flows.sizes import Size
from actorflow.runs.selection import left_out
from actorflow_supervisors.recycling import Recycling

DEFAULT_GRACE_S = 10.0
"""How long what runs may take to end once the run is cancelled."""
EVERYTHING = Selection()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a command was told about how to run. store: None means where the store is by default.

    recycling: of the worker processes of a run, None as ever. limits: of the run as a whole. grace_s: how long what
    runs may take to end once the run is cancelled.
    """

    executor: str | None = None
    workers: int | None = None
    recycling: Recycling | None = None
    store: str | None = None
    trace: bool = False
    limits: RunLimits = NO_LIMITS
    grace_s: float = DEFAULT_GRACE_S
    selection: Selection = EVERYTHING
    profile: Profile = NO_PROFILE


def settings(
    *,
    executor: str | None = None,
    workers: int | None = None,
    store: str | None = None,
    trace: bool | None = None,
    limits: GivenLimits = UNLIMITED,
    recycle: Sequence[str] = (),
    grace: str | None = None,
    selection: Selection = EVERYTHING,
    profile: str | None = None,
) -> Settings:
    """Flags (None where not given) over the profile of that name. Raises Complaint."""
    chosen = read_profile(profile, Path.cwd()) if profile is not None else NO_PROFILE
    return Settings(
        executor=executor or chosen.executor,
        workers=workers or chosen.workers,
        recycling=_recycling(recycle, chosen.recycle),
        store=store or chosen.store,
        trace=bool(chosen.trace if trace is None else trace),
        limits=_run_limits(limits, chosen.limits),
        grace_s=DEFAULT_GRACE_S if (grace := grace or chosen.grace) is None else seconds(grace),
        selection=selection if selection.fail_fast is not None else replace(selection, fail_fast=chosen.fail_fast),
        profile=chosen,
    )


def _recycling(pairs: Sequence[str], profile: Mapping[str, object]) -> Recycling | None:
    """Raises a usage error for what no flag can say; the profile has been looked at."""
    given: dict[str, object] = dict(profile)
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise click.UsageError(f"--recycle takes NAME=VALUE, not `{pair}`")
        given[name.strip()] = value.strip()
    try:
        return recycling_of(given) if given else None
    except ValueError as error:
        raise click.UsageError(f"--recycle: {error}") from error


def _run_limits(given: GivenLimits, profile: GivenLimits) -> RunLimits:
    """The flags over the profile; each text has been read once."""
    return RunLimits(
        timeout=given.timeout or profile.timeout,
        max_memory=_size(given.max_memory or profile.max_memory),
        default_memory=_size(given.default_memory or profile.default_memory),
        max_cpus=given.max_cpus or profile.max_cpus,
    )


def _size(text: str | None) -> Size | None:
    return int(text) if text is not None and text.isdecimal() else text


def split_params(pairs: Sequence[str]) -> dict[str, list[str]]:
    """`k=v` texts by name, a name given several times with all its values. Raises a usage error."""
    given: dict[str, list[str]] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise click.UsageError(f"-p takes NAME=VALUE, not `{pair}`")
        given.setdefault(name.strip(), []).append(value)
    return given


def bound_params(
    graph: Graph, *, pairs: Mapping[str, Sequence[str]], own: Mapping[str, Sequence[str]]
) -> dict[str, BoundParam]:
    """The values given by -p and by the dag's own options, which win. Raises FlowFaults with all that is wrong."""
    bound: dict[str, BoundParam] = {}
    faults: list[FlowFaults] = []
    for source, texts in (("-p", pairs), ("option", own)):
        try:
            bound |= parse_params(graph.params, dict(texts), source=source, location=graph.location)
        except FlowFaults as error:
            faults.append(error)
    if faults:
        raise FlowFaults([fault for error in faults for fault in error.faults])
    return bound


def plan_of(graph: Graph, params: Mapping[str, BoundParam], chosen: Settings, *, why_cold: str = "") -> Plan:
    """The plan under these settings. Raises FlowFaults, or Complaint where the profile does not fit the dag.

    why_cold: why the module of the dag cannot be forked once it is imported, "" where it can.
    """
    plan = make_plan(
        with_profile(graph, chosen.profile),
        params,
        executor=chosen.executor,
        limits=chosen.limits,
        left_out=left_out(graph, chosen.selection.select, chosen.selection.exclude),
        fail_fast=chosen.selection.fail_fast,
    )
    if not any(planned.executor == "process" for planned in plan.steps):
        return plan
    return replace(plan, notes=(*plan.notes, *_worker_notes(chosen.recycling, why_cold)))


def _worker_notes(recycling: Recycling | None, why_cold: str) -> Iterator[str]:
    """What the worker processes of a run do otherwise than those of most runs."""
    if recycling is not None:
        yield f"a worker process makes room for a new one {recycling}"
    if why_cold:
        yield f"each worker process imports the file itself, which takes longer than a copy: {why_cold}"


def with_profile(graph: Graph, profile: Profile) -> Graph:
    """The graph with the executors that the profile names for single steps."""
    remarks = list(_misfits(graph, profile))
    if remarks:
        raise Complaint(*remarks)
    if not profile.tasks:
        return graph
    steps = tuple(replace(step, executor=profile.tasks.get(step.name, step.executor)) for step in graph.steps)
    return replace(graph, steps=steps)


def _misfits(graph: Graph, profile: Profile) -> Iterator[Remark]:
    place = Place(file=profile.file)
    names = [step.name for step in graph.steps]
    for name, executor in profile.tasks.items():
        if name not in names:
            message = f"profile `{profile.name}` names the step `{name}`, which dag `{graph.name}` does not have"
            yield Remark(message=message, place=place, help=did_you_mean(name, names))
        if executor not in KNOWN_EXECUTORS:
            message = f"profile `{profile.name}` gives `{name}` the executor `{executor}`, which there is not"
            yield Remark(message=message, place=place, help=did_you_mean(executor, KNOWN_EXECUTORS))
