"""Selection: which steps of a graph a run leaves out, by patterns of their names.

| pattern | selects |
|---|---|
| `clean` | the step of that name |
| `load_*`, `?oad` | the steps whose names fit |
| `+clean` | it and everything upstream |
| `clean+` | it and everything downstream |
| `1+clean+2` | it, one level upstream, two levels downstream |

Several patterns select what any of them does. What `exclude` selects is left out of that; alone, of everything.
Source: the graph operators of dbt's node selection.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from actorflow.flows.faults import Code, Fault, FlowFaults, did_you_mean
from actorflow.flows.graph import Graph

_PATTERN = re.compile(r"(?:(?P<up>\d*)(?P<above>\+))?(?P<name>[^+]+)(?:(?P<below>\+)(?P<down>\d*))?")
_WILD = frozenset("*?[")


def left_out(graph: Graph, select: Sequence[str] = (), exclude: Sequence[str] = ()) -> frozenset[str]:
    """The steps that a run leaves out. Raises FlowFaults for patterns that fit no step, and where no step is left."""
    if not select and not exclude:
        return frozenset()
    graph_ = _Neighbours(graph)
    faults: list[Fault] = []
    chosen = _any_of(select, graph_, "--select", faults) if select else set(graph_.names)
    chosen -= _any_of(exclude, graph_, "--exclude", faults)
    if not faults and not chosen:
        message = f"no step of dag `{graph.name}` is selected"
        faults.append(Fault(Code.unknown_selection, message, graph.location, f"steps: {', '.join(graph_.names)}"))
    if faults:
        raise FlowFaults(faults)
    return frozenset(set(graph_.names) - chosen)


class _Neighbours:
    """The steps of a graph with what is directly above and below each."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.names = [step.name for step in graph.steps]
        self.above: Mapping[str, Sequence[str]] = {step.name: step.upstream() for step in graph.steps}
        below: dict[str, list[str]] = {name: [] for name in self.names}
        for name, upstream in self.above.items():
            for other in upstream:
                below[other].append(name)
        self.below: Mapping[str, Sequence[str]] = below


def _any_of(patterns: Iterable[str], graph: _Neighbours, option: str, faults: list[Fault]) -> set[str]:
    found: set[str] = set()
    for pattern in patterns:
        names = _selected(pattern, graph)
        if not names:
            message = f"`{option} {pattern}` fits no step of dag `{graph.graph.name}`"
            read = _PATTERN.fullmatch(pattern.strip())
            help = did_you_mean(pattern if read is None else read["name"], graph.names)
            faults.append(Fault(Code.unknown_selection, message, graph.graph.location, help))
        found |= names
    return found


def _selected(pattern: str, graph: _Neighbours) -> set[str]:
    read = _PATTERN.fullmatch(pattern.strip())
    if read is None:
        return set()
    name = read["name"]
    named = {one for one in graph.names if fnmatchcase(one, name)} if _WILD & set(name) else {name} & set(graph.names)
    found = set(named)
    if read["above"]:
        found |= _reached(named, graph.above.__getitem__, int(read["up"]) if read["up"] else None)
    if read["below"]:
        found |= _reached(named, graph.below.__getitem__, int(read["down"]) if read["down"] else None)
    return found


def _reached(names: Iterable[str], next_to: Callable[[str], Sequence[str]], levels: int | None) -> set[str]:
    """What is at most that many edges away; None: however many."""
    found: set[str] = set()
    edge = set(names)
    while edge and levels != 0:
        edge = {other for name in edge for other in next_to(name)} - found
        found |= edge
        levels = None if levels is None else levels - 1
    return found


def downstream_of(graph: Graph, names: Iterable[str]) -> set[str]:
    """These steps and everything below them."""
    start = set(names)
    return start | _reached(start, _Neighbours(graph).below.__getitem__, None)
