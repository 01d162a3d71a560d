"""Render: graphs and plans as text for people, mermaid for pages and dot for Graphviz; pure functions to str."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import assert_never

from actorflow.flows.describe import plain_json
from actorflow.flows.durations import format_duration
from actorflow.flows.graph import (
    Const,
    DictOf,
    Graph,
    Input,
    ListOf,
    Output,
    Param,
    ParamSpec,
    Step,
    TaskKind,
    TriggerRule,
    outputs_in,
)
from actorflow.flows.hints import annotation_name
from actorflow.flows.limits import Caps
from actorflow.flows.memory import quota_text
from actorflow.flows.plan import Plan
from actorflow.flows.sizes import format_size

_LONGEST_VALUE = 40


def graph_text(graph: Graph) -> str:
    """The signature of the dag, one line for each step in topological order, and what is returned."""
    mapped = {step.name for step in graph.steps if step.mapped is not None}
    rows = [
        (_step_label(step), _body(step), _inputs_text(step, mapped), ", ".join(_options(step))) for step in graph.steps
    ]
    return _lines([signature(graph), "", *_table(rows), "", f"  returns {_input_text(graph.result, mapped)}"])


def plan_text(plan: Plan) -> str:
    """The parameters with their sources, one line for each step with its executor, and the notes."""
    params = [(name, f"= {_short(bound.value)}", f"({bound.source})") for name, bound in plan.params.items()]
    rows = [
        (
            _step_label(planned.step),
            planned.executor,
            f"after {', '.join(planned.upstream)}" if planned.upstream else "at once",
            ", ".join(_limits(planned.step) if planned.is_selected else ["left out"]),
        )
        for planned in plan.steps
    ]
    notes = [*_caps(plan.caps), *(f"note: {note}" for note in plan.notes)]
    return _lines([plan.graph.name, *_table(params), "", *_table(rows), *([""] if notes else []), *notes])


def _caps(caps: Caps) -> list[str]:
    """`at most: 1h, 4GiB of declared memory at once`; nothing where the run has no limits."""
    found = [format_duration(caps.timeout_s)] if caps.timeout_s is not None else []
    if caps.max_memory_bytes is not None:
        found.append(f"{format_size(caps.max_memory_bytes)} of declared memory at once")
    if caps.max_cpus is not None:
        found.append(f"{caps.max_cpus:g} CPUs at once")
    return [f"at most: {', '.join(found)}"] if found else []


def graph_mermaid(graph: Graph) -> str:
    """A mermaid flowchart: mapped steps doubly framed, `after` dotted, parameters round."""
    ids = {step.name: f"s{number}" for number, step in enumerate(graph.steps)}
    params = {param.name: f"p{number}" for number, param in enumerate(graph.params)}
    lines = ["flowchart TD"]
    for name, id in params.items():
        lines.append(f'  {id}(["{_mermaid_text(name)}"])')
    for step in graph.steps:
        left, right = ("[[", "]]") if step.mapped is not None else ("[", "]")
        lines.append(f'  {ids[step.name]}{left}"{_mermaid_text(_step_label(step))}"{right}')
    for source, target, dotted in _edges(graph):
        lines.append(f"  {ids[source]} {'-.->' if dotted else '-->'} {ids[target]}")
    for name, target in _param_edges(graph):
        lines.append(f"  {params[name]} --> {ids[target]}")
    return _lines(lines)


def graph_dot(graph: Graph) -> str:
    """A Graphviz digraph: mapped steps doubly framed, `after` dashed, parameters as ellipses."""
    lines = [f"digraph {_quoted(graph.name)} {{", "  rankdir=TB;", "  node [shape=box];"]
    lines += [
        f"  {_quoted(f'param:{param.name}')} [label={_quoted(param.name)} shape=ellipse];" for param in graph.params
    ]
    for step in graph.steps:
        frames = " peripheries=2" if step.mapped is not None else ""
        lines.append(f"  {_quoted(step.name)} [label={_quoted(_step_label(step))}{frames}];")
    for source, target, dashed in _edges(graph):
        lines.append(f"  {_quoted(source)} -> {_quoted(target)}{' [style=dashed]' if dashed else ''};")
    for name, target in _param_edges(graph):
        lines.append(f"  {_quoted(f'param:{name}')} -> {_quoted(target)};")
    return _lines([*lines, "}"])


def signature(graph: Graph) -> str:
    """`stdlib_census(root: Path = /usr/lib/python3, top: int = 10)`."""
    return f"{graph.name}({', '.join(map(_param_text, graph.params))})"


def _param_text(param: ParamSpec) -> str:
    default = "" if param.required else f" = {_short(param.default)}"
    return f"{param.name}: {annotation_name(param.annotation)}{default}"


def _step_label(step: Step) -> str:
    return step.name if step.mapped is None else f"{step.name}[*]"


def _body(step: Step) -> str:
    return "def" if step.kind is TaskKind.sync else "async def"


def _inputs_text(step: Step, mapped: set[str]) -> str:
    parts = [
        f"{name} = {'each of ' if name == step.mapped else ''}{_input_text(value, mapped, whole=name != step.mapped)}"
        for name, value in step.inputs
    ]
    return ", ".join([*parts, *(f"after {name}" for name in step.after)])


def _input_text(value: Input, mapped: set[str], *, whole: bool = True) -> str:
    match value:
        case Const(constant):
            return _short(constant)
        case Param(name):
            return name
        case Output(step):
            return f"all of {step}" if step in mapped and whole else step
        case ListOf(items, as_tuple):
            inside = ", ".join(_input_text(item, mapped) for item in items)
            return f"({inside})" if as_tuple else f"[{inside}]"
        case DictOf(items):
            return "{" + ", ".join(f"{_short(key)}: {_input_text(item, mapped)}" for key, item in items) + "}"
        case _:
            assert_never(value)


def _options(step: Step) -> list[str]:
    asked = [f"on {step.executor}"] if step.executor is not None else []
    return [*asked, *_limits(step)]


def _limits(step: Step) -> list[str]:
    limits: list[str] = []
    if step.retry.attempts > 1:
        limits.append(f"{step.retry.attempts} attempts")
    if step.timeout_s is not None:
        limits.append(f"timeout {format_duration(step.timeout_s)}")
    if step.deadline_s is not None:
        limits.append(f"deadline {format_duration(step.deadline_s)}")
    if step.queue_timeout_s is not None:
        limits.append(f"queue timeout {format_duration(step.queue_timeout_s)}")
    if step.memory_bytes is not None:
        limits.append(f"memory {quota_text(step)}")
    if step.cpus is not None:
        limits.append(f"{step.cpus:g} {'CPU' if step.cpus == 1 else 'CPUs'}{' of its own' if step.affinity else ''}")
    if step.max_in_flight is not None:
        limits.append(f"at most {step.max_in_flight} at once")
    if step.trigger_rule is not TriggerRule.all_success:
        limits.append(f"when {step.trigger_rule}")
    return limits


def _edges(graph: Graph) -> Iterable[tuple[str, str, bool]]:
    """(upstream, step, passes nothing) for each edge, each pair once."""
    for step in graph.steps:
        passing = {name for _, value in step.inputs for name in outputs_in(value)}
        for name in step.upstream():
            yield name, step.name, name not in passing


def _param_edges(graph: Graph) -> Iterable[tuple[str, str]]:
    for step in graph.steps:
        for name in dict.fromkeys(name for _, value in step.inputs for name in _params_in(value)):
            yield name, step.name


def _params_in(value: Input) -> Iterable[str]:
    match value:
        case Param(name):
            yield name
        case ListOf(items):
            for item in items:
                yield from _params_in(item)
        case DictOf(items):
            for _, item in items:
                yield from _params_in(item)
        case Const() | Output():
            return


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows with their columns below each other, indented."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _short(value: object) -> str:
    shown = plain_json(value)
    text = shown if isinstance(shown, str) and not isinstance(value, str) else repr(shown)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."


def _mermaid_text(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "#quot;")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines)
