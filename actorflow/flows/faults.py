"""Faults: what is wrong with a pipeline before anything runs, each with a code, a place and a way to mend it.

docs/errors.md shows an example for every code, and a test loads each of them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from actorflow.actors.errors import ActorflowError
from actorflow.flows.graph import Location
from actorflow.flows.places import shown, source_line


class Code(StrEnum):
    """One code for each kind of fault; never reused for another."""

    no_such_file = "AF001"
    syntax_error = "AF002"
    import_error = "AF003"
    no_dag = "AF004"
    several_dags = "AF005"
    unknown_dag = "AF006"
    module_clash = "AF007"
    not_a_module = "AF008"
    bad_option = "AF010"
    bad_function = "AF011"
    wrong_arguments = "AF012"
    type_mismatch = "AF013"
    unresolved_use = "AF014"
    bad_map = "AF015"
    bad_output_type = "AF016"
    nested_dag = "AF017"
    dag_function_failed = "AF018"
    called_outside = "AF019"
    cycle = "AF020"
    duplicate_name = "AF021"
    unknown_step = "AF022"
    unknown_parameter = "AF030"
    bad_parameter = "AF031"
    missing_parameter = "AF032"
    bad_parameter_type = "AF033"
    timeout_not_enforced = "AF040"
    quota_not_enforced = "AF041"
    unknown_executor = "AF042"
    wrong_executor = "AF043"
    not_importable = "AF044"
    max_in_flight_unmapped = "AF045"
    above_memory_limit = "AF046"
    above_cpu_limit = "AF047"
    affinity_not_enforced = "AF048"
    unknown_selection = "AF049"


@dataclass(frozen=True, slots=True)
class Related:
    """A second place that a fault speaks of, and what stands there."""

    location: Location
    text: str


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong. message: one plain sentence. help: how to mend it, "" where the message says it all."""

    code: Code
    message: str
    location: Location | None = None
    help: str = ""
    related: tuple[Related, ...] = ()

    def __str__(self) -> str:
        return "\n".join(
            [
                f"error[{self.code}] {self.message}",
                *_place_lines(self.location),
                *(f"  {shown(place.location)}   {place.text}" for place in self.related),
                *([f"  help: {self.help}"] if self.help else []),
            ]
        )


class FlowFaults(ActorflowError):
    """A pipeline that cannot run as it stands. faults: all that was found, in the order of the file, at least one."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = in_order(faults)
        super().__init__(*self.faults)

    def __str__(self) -> str:
        return "\n\n".join(map(str, self.faults))

    def __reduce__(self) -> tuple[type[FlowFaults], tuple[tuple[Fault, ...]]]:
        return FlowFaults, (self.faults,)


def refused(code: Code, message: str, location: Location | None = None, help: str = "") -> FlowFaults:
    """The exception for a single fault."""
    return FlowFaults([Fault(code, message, location, help)])


def in_order(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """Each fault once, sorted by place; those without one come first."""
    unique = dict.fromkeys(faults)
    return tuple(
        sorted(unique, key=lambda fault: (fault.location.file, fault.location.line) if fault.location else ("", 0))
    )


def fault_to_json(fault: Fault) -> dict[str, object]:
    """The fault as plain JSON: code, name, message, file, line, help, related."""
    return {
        "code": fault.code.value,
        "name": fault.code.name,
        "message": fault.message,
        "file": fault.location.file if fault.location else None,
        "line": fault.location.line if fault.location else None,
        "help": fault.help,
        "related": [
            {"file": place.location.file, "line": place.location.line, "text": place.text} for place in fault.related
        ],
    }


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A help text: the nearest known name, else all of them."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean `{near[0]}`?"
    return f"known: {', '.join(names)}" if names else ""


def _place_lines(location: Location | None) -> list[str]:
    if location is None:
        return []
    source = source_line(location)
    return [f"  --> {shown(location)}" + (f"   {source}" if source else "")]
