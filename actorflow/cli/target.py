"""From FILE[:DAG] and parameters to a dag and its plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from actorflow.cli.dag_options import read_own_options
from actorflow.cli.settings import Settings, bound_params, plan_of, split_params, with_profile
from actorflow.flows.dag import Dag
from actorflow.flows.faults import FlowFaults
from actorflow.flows.limits import available_cpu_ids, caps_of
from actorflow.flows.load import load_dag
from actorflow.flows.places import shown_file
from actorflow.flows.plan import Plan, graph_faults
from actorflow_supervisors.forkable import footprint, why_import_bars_forks


@dataclass(frozen=True, slots=True)
class Planned:
    """A dag, checked, with a plan for it."""

    dag: Dag[..., object]
    plan: Plan


def load_and_plan(target: str, own: Sequence[str], pairs: Sequence[str], chosen: Settings, *, command: str) -> Planned:
    """The dag of `target` with its plan.

    command: "actorflow run", for the help page. Raises FlowFaults, Complaint or click.UsageError: nothing runs;
    HelpAsked where `-- --help` stands.
    """
    given = split_params(pairs)
    before = footprint()
    dag = load_dag(target)
    why_cold = why_import_bars_forks(before, footprint())
    options = _own_options(dag, own, f"{command} {target}")
    params = bound_params(dag.graph, pairs=given, own=options)
    return Planned(dag, plan_of(dag.graph, params, chosen, why_cold=why_cold))


def load_and_check(target: str, own: Sequence[str], pairs: Sequence[str], chosen: Settings) -> Dag[..., object]:
    """The dag of `target`, its steps checked for these settings and the parameters that are given; none is missed.

    Raises as `load_and_plan` does.
    """
    given = split_params(pairs)
    dag = load_dag(target)
    bound_params(dag.graph, pairs=given, own=_own_options(dag, own, f"actorflow validate {target}"))
    graph = with_profile(dag.graph, chosen.profile)
    caps = caps_of(graph, chosen.limits, available_cpu_ids())
    faults = graph_faults(graph.steps, executor=chosen.executor, caps=caps)
    if faults:
        raise FlowFaults(faults)
    return dag


def target_of(dag: Dag[..., object]) -> str:
    """FILE:DAG as one would type it here."""
    return f"{shown_file(dag.file)}:{dag.name}"


def _own_options(dag: Dag[..., object], own: Sequence[str], command: str) -> Mapping[str, list[str]]:
    return read_own_options(dag.graph.params, own, doc=dag.__doc__ or "", command=command)
