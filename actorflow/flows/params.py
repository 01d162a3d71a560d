"""Params: values for the parameters of a dag, read from text by their annotations; every value keeps its source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard, cast

from actorflow.flows.faults import Code, Fault, FlowFaults, did_you_mean
from actorflow.flows.graph import Location, ParamSpec
from actorflow.flows.hints import annotation_name
from actorflow.flows.types import value_fits
from actorflow.flows.values_from_text import parse_texts


@dataclass(frozen=True, slots=True)
class BoundParam:
    """The value of a parameter. source: where it came from, such as "default", "-p", "option" or "bind"."""

    value: object
    source: str


def parse_params(
    specs: Sequence[ParamSpec],
    given: Mapping[str, object],
    *,
    source: str,
    location: Location | None = None,
) -> dict[str, BoundParam]:
    """The given values, read by the annotations of their parameters.

    given: by parameter name, a text, or a list of texts for a parameter given several times; a value that is no text
    (from a TOML file) is taken as it is where it fits. Raises FlowFaults with everything that is wrong.
    """
    known = {spec.name: spec for spec in specs}
    bound: dict[str, BoundParam] = {}
    faults: list[Fault] = []
    for name, value in given.items():
        spec = known.get(name)
        if spec is None:
            faults.append(unknown_parameter(name, specs, source=source, location=location))
            continue
        try:
            bound[name] = BoundParam(_value(value, spec.annotation), source)
        except ValueError as exc:
            faults.append(_ill_typed(spec, value, str(exc), source, location))
    if faults:
        raise FlowFaults(faults)
    return bound


def bind_params(
    specs: Sequence[ParamSpec], given: Mapping[str, BoundParam], location: Location | None
) -> tuple[dict[str, BoundParam], list[Fault]]:
    """A value for every parameter, defaults included, and what is wrong: unknown, missing or of another type."""
    faults = [
        unknown_parameter(name, specs, source=value.source, location=location)
        for name, value in given.items()
        if all(spec.name != name for spec in specs)
    ]
    bound: dict[str, BoundParam] = {}
    for spec in specs:
        value = given.get(spec.name)
        if value is not None and not value_fits(value.value, spec.annotation):
            faults.append(_ill_typed(spec, value.value, "", value.source, location))
        if value is not None:
            bound[spec.name] = value
        elif spec.required:
            faults.append(_missing(spec, location))
        else:
            bound[spec.name] = BoundParam(spec.default, "default")
    return bound, faults


def unknown_parameter(name: str, specs: Sequence[ParamSpec], *, source: str, location: Location | None = None) -> Fault:
    """The fault for a value whose name is no parameter."""
    help = did_you_mean(name, [spec.name for spec in specs]) or "the dag has no parameters"
    return Fault(Code.unknown_parameter, f"there is no parameter `{name}` (given by {source})", location, help)


def _value(given: object, annotation: object) -> object:
    if isinstance(given, str):
        return parse_texts([given], annotation)
    if _are_texts(given):
        return parse_texts(given, annotation)
    if not value_fits(given, annotation):
        raise ValueError(f"it is a {type(given).__name__}")
    return given


def _are_texts(given: object) -> TypeGuard[Sequence[str]]:
    items = cast("Sequence[object]", given) if isinstance(given, list | tuple) else ()
    return bool(items) and all(isinstance(item, str) for item in items)


def _ill_typed(spec: ParamSpec, value: object, why: str, source: str, location: Location | None) -> Fault:
    text = repr(value[0] if _are_texts(value) and len(value) == 1 else value)
    shown = text if len(text) <= 60 else f"{text[:57]}..."
    wanted = annotation_name(spec.annotation)
    message = f"parameter `{spec.name}` takes `{wanted}`, not {shown} (given by {source})"
    return Fault(Code.bad_parameter, message, location, why)


def _missing(spec: ParamSpec, location: Location | None) -> Fault:
    message = f"parameter `{spec.name}: {annotation_name(spec.annotation)}` has no value and no default"
    return Fault(Code.missing_parameter, message, location, f"give it one, such as `-p {spec.name}=...`")
