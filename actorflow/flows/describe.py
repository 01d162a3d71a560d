"""Describe: graphs and plans as plain JSON, and the hash of a graph's structure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import Enum
from typing import Any, assert_never, cast

from actorflow.actors.codec.typed import is_model
from actorflow.flows.graph import Const, DictOf, Graph, Input, ListOf, MemoryGrowth, Output, Param, RetryPolicy, Step
from actorflow.flows.hints import annotation_name
from actorflow.flows.plan import Plan, PlannedStep
from actorflow.flows.structure import structure_of


def graph_to_json(graph: Graph) -> dict[str, object]:
    """name, module, file, line, hash, params, steps, result. Inputs are `{"output": step}`, `{"param": name}`, ..."""
    return {
        "name": graph.name,
        "module": graph.module,
        "file": graph.location.file,
        "line": graph.location.line,
        "hash": graph_hash(graph),
        "params": [
            {
                "name": param.name,
                "type": annotation_name(param.annotation),
                "required": param.required,
                "default": plain_json(param.default),
            }
            for param in graph.params
        ],
        "steps": [step_to_json(step) for step in graph.steps],
        "result": _input_to_json(graph.result),
    }


def step_to_json(step: Step) -> dict[str, object]:
    """Every field of the step; durations in seconds, sizes in bytes."""
    return {
        "name": step.name,
        "task": step.task,
        "kind": step.kind.value,
        "file": step.location.file,
        "line": step.location.line,
        "inputs": {name: _input_to_json(value) for name, value in step.inputs},
        "mapped": step.mapped,
        "after": list(step.after),
        "upstream": list(step.upstream()),
        "executor": step.executor,
        "retry": _retry_to_json(step.retry),
        "timeout_s": step.timeout_s,
        "deadline_s": step.deadline_s,
        "queue_timeout_s": step.queue_timeout_s,
        "memory_bytes": step.memory_bytes,
        "memory_growth": _growth_to_json(step.memory_growth),
        "cpus": step.cpus,
        "affinity": step.affinity,
        "trigger_rule": step.trigger_rule.value,
        "max_in_flight": step.max_in_flight,
        "allow_failure": step.allow_failure,
        "critical": step.critical,
        "cleanup": step.cleanup,
    }


def plan_to_json(plan: Plan) -> dict[str, object]:
    """dag, hash, params with their sources, steps with executor, depth, neighbours and need, limits, notes."""
    return {
        "dag": plan.graph.name,
        "module": plan.graph.module,
        "file": plan.graph.location.file,
        "hash": graph_hash(plan.graph),
        "params": {
            name: {"value": plain_json(bound.value), "source": bound.source} for name, bound in plan.params.items()
        },
        "steps": [_planned_to_json(planned) for planned in plan.steps],
        "limits": {
            "timeout_s": plan.caps.timeout_s,
            "max_memory_bytes": plan.caps.max_memory_bytes,
            "default_memory_bytes": plan.caps.default_memory_bytes,
            "max_cpus": plan.caps.max_cpus,
        },
        "fail_fast": plan.fail_fast,
        "notes": list(plan.notes),
    }


def graph_hash(graph: Graph) -> str:
    """64 hex digits, the same in every process for the same structure (actorflow/flows/structure.py)."""
    return structure_of(graph).hash


def plain_json(value: object) -> object:
    """The value as a person reads it in JSON; what JSON does not have becomes text."""
    if isinstance(value, Enum):
        return plain_json(value.value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain_json(item) for key, item in cast("Mapping[object, object]", value).items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain_json(item) for item in cast("list[object]", value)]
    if is_model(type(value)):
        return cast("Any", value).model_dump(mode="json")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return repr(value) if _has_default_str(value) else str(value)


def _planned_to_json(planned: PlannedStep) -> dict[str, object]:
    return {
        **step_to_json(planned.step),
        "executor": planned.executor,
        "depth": planned.depth,
        "upstream": list(planned.upstream),
        "downstream": list(planned.downstream),
        "elementwise": planned.elementwise,
        "selected": planned.is_selected,
        "need": {"memory_bytes": planned.need.memory_bytes, "cpus": planned.need.cpus},
    }


def _growth_to_json(growth: MemoryGrowth | None) -> dict[str, object] | None:
    return None if growth is None else {"factor": growth.factor, "max_bytes": growth.max_bytes}


def _retry_to_json(retry: RetryPolicy) -> dict[str, object]:
    return {
        "attempts": retry.attempts,
        "backoff": retry.backoff.shape,
        "base_s": retry.backoff.base_s,
        "cap_s": retry.backoff.cap_s,
        "jitter": retry.backoff.jitter,
        "retry_on": None if retry.retry_on is None else list(retry.retry_on),
        "memory_restarts": retry.memory_restarts,
    }


def _input_to_json(value: Input) -> dict[str, object]:
    match value:
        case Const(constant):
            return {"const": plain_json(constant)}
        case Param(name):
            return {"param": name}
        case Output(step):
            return {"output": step}
        case ListOf(items, as_tuple):
            return {"tuple" if as_tuple else "list": [_input_to_json(item) for item in items]}
        case DictOf(items):
            return {"dict": [[plain_json(key), _input_to_json(item)] for key, item in items]}
        case _:
            assert_never(value)


def _has_default_str(value: object) -> bool:
    return type(value).__str__ is object.__str__
