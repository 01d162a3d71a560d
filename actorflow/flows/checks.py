"""Checks: what may be wrong with steps as plain data, however they were made: names, cycles, limits on maps."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence

from actorflow.flows.faults import Code, Fault, Related, did_you_mean
from actorflow.flows.graph import Step


def structure_faults(steps: Sequence[Step]) -> list[Fault]:
    """Every fault of the steps among themselves; none means that `in_topological_order` gives all of them."""
    faults = [*_duplicates(steps), *_unknown_steps(steps), *_limits_without_a_map(steps)]
    cycle = find_cycle(steps)
    if cycle:
        faults.append(_cycle_fault(cycle, {step.name: step for step in steps}))
    return faults


def in_topological_order(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Each step after all its upstreams, else in the order given; those on or below a cycle are left out."""
    if _is_ordered(steps):
        return tuple(steps)
    position = {step.name: index for index, step in enumerate(steps)}
    waits = {step.name: {name for name in step.upstream() if name in position} for step in steps}
    below: dict[str, list[str]] = {}
    for name, upstream in waits.items():
        for other in upstream:
            below.setdefault(other, []).append(name)
    ready = [position[name] for name, upstream in waits.items() if not upstream]
    heapq.heapify(ready)
    ordered: list[Step] = []
    while ready:
        step = steps[heapq.heappop(ready)]
        ordered.append(step)
        for name in below.get(step.name, ()):
            waits[name].discard(step.name)
            if not waits[name]:
                heapq.heappush(ready, position[name])
    return tuple(ordered)


def _is_ordered(steps: Sequence[Step]) -> bool:
    """True where the order given is one already, as a dag function without `after=["name"]` writes it."""
    seen: set[str] = set()
    for step in steps:
        if step.name in seen or not seen.issuperset(step.upstream()):
            return False
        seen.add(step.name)
    return True


def find_cycle(steps: Sequence[Step]) -> list[str]:
    """The names along one cycle, each waiting for the next and the last for the first; [] where there is none."""
    in_order = in_topological_order(steps)
    if len(in_order) == len(steps):
        return []
    ordered = {step.name for step in in_order}
    stuck = {step.name: step for step in steps if step.name not in ordered}
    path: dict[str, None] = {}
    name = next(iter(stuck), None)
    # Whatever is stuck waits for something stuck, so following that must come back to where it was.
    while name is not None and name not in path:
        path[name] = None
        name = next((other for other in stuck[name].upstream() if other in stuck), None)
    names = list(path)
    return names[names.index(name) :] if name is not None else []


def _cycle_fault(cycle: Sequence[str], steps: Mapping[str, Step]) -> Fault:
    flow = list(reversed([*cycle, cycle[0]]))
    related = tuple(
        Related(steps[name].location, f"`{name}` waits for `{other}`")
        for name, other in zip(cycle, [*cycle[1:], cycle[0]], strict=True)
    )
    message = f"the steps wait for each other in a circle: {' -> '.join(flow)}"
    help = "take one of them out of the `after` or the arguments of the other"
    return Fault(Code.cycle, message, steps[cycle[0]].location, help, related)


def _duplicates(steps: Sequence[Step]) -> list[Fault]:
    first: dict[str, Step] = {}
    faults: list[Fault] = []
    for step in steps:
        known = first.setdefault(step.name, step)
        if known is not step:
            message = f"two steps are called `{step.name}`"
            related = (Related(known.location, "the first one"),)
            help = "give one of them another name with `.options(name=...)`"
            faults.append(Fault(Code.duplicate_name, message, step.location, help, related))
    return faults


def _unknown_steps(steps: Sequence[Step]) -> list[Fault]:
    names = [step.name for step in steps]
    known = set(names)
    return [
        Fault(
            Code.unknown_step,
            f"step `{step.name}` waits for `{name}`, and there is no step of that name",
            step.location,
            did_you_mean(name, [other for other in names if other != step.name]),
        )
        for step in steps
        for name in step.upstream()
        if name not in known
    ]


def _limits_without_a_map(steps: Sequence[Step]) -> list[Fault]:
    return [
        Fault(
            Code.max_in_flight_unmapped,
            f"step `{step.name}` has `max_in_flight`, which limits the items of a map, but it runs only once",
            step.location,
            "call it with `.map(...)`, or leave `max_in_flight` out",
        )
        for step in steps
        if step.max_in_flight is not None and step.mapped is None
    ]
