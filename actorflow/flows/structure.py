"""Structure: what makes two graphs the same pipeline, as digests; and the digests of what their tasks say.

Part of it: parameters, steps, tasks, edges, constants, trigger rules. Where things stand in the file, the defaults of
parameters, and how steps run (executor, retry, limits) are no part of it. Steps are taken by name, so the order in
which independent ones were written does not matter. Digests are the same in every process.
"""

from __future__ import annotations

import hashlib
import json
import linecache
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, time, timedelta
from enum import Enum
from pathlib import PurePath
from types import CodeType
from typing import Any, assert_never, cast

from actorflow.actors.codec.typed import is_model
from actorflow.flows.graph import Const, DictOf, Graph, Input, ListOf, Output, Param, Step
from actorflow.flows.hints import annotation_name, is_class

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_PLAIN = (bool, int, float, str, type(None))
_STEP_BYTES = 8
_SOURCE_BYTES = 16


@dataclass(frozen=True, slots=True)
class Structure:
    """hash: 64 hex digits for the whole graph. steps: 16 hex digits by the name of a step."""

    hash: str
    steps: Mapping[str, str]


def structure_of(graph: Graph) -> Structure:
    """The digests of a graph and of each of its steps."""
    steps = {step.name: step_digest(step) for step in graph.steps}
    whole = {
        "name": graph.name,
        "params": [[param.name, annotation_name(param.annotation), param.required] for param in graph.params],
        "steps": sorted(steps.items()),
        "result": _input_text(graph.result),
    }
    return Structure(hashlib.sha256(_dump(whole).encode()).hexdigest(), steps)


def step_digest(step: Step) -> str:
    """The digest of one step: its task, where its arguments come from, what it waits for. A few microseconds."""
    inputs = [f"{name}={_input_text(value)}" for name, value in step.inputs]
    if len(inputs) > 1:
        inputs.sort()
    after = sorted(step.after) if step.after else ""
    text = f"{step.name}\0{step.task}\0{step.mapped}\0{after}\0{step.trigger_rule._value_}\0{inputs}"
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_STEP_BYTES).hexdigest()


def source_digests(functions: Mapping[str, Callable[..., object]]) -> dict[str, str]:
    """A digest of the text of each function, by the name given; those without a text of their own are left out."""
    found = {name: source_digest(fn) for name, fn in functions.items()}
    return {name: digest for name, digest in found.items() if digest}


def source_digest(fn: Callable[..., object]) -> str:
    """32 hex digits for the lines that `fn` stands on, decorators included; "" where there are none."""
    code = getattr(fn, "__code__", None)
    if not isinstance(code, CodeType):
        return ""
    lines = linecache.getlines(code.co_filename)[code.co_firstlineno - 1 : _last_line(code)]
    text = "\n".join(line.strip() for line in lines)
    return hashlib.blake2b(text.encode(), digest_size=_SOURCE_BYTES).hexdigest() if text else ""


def _last_line(code: CodeType) -> int:
    """The last line that any instruction of it, or of a function in it, was made from."""
    ends = [end for _, end, _, _ in code.co_positions() if end is not None]
    ends += [_last_line(inner) for inner in code.co_consts if isinstance(inner, CodeType)]
    return max(ends, default=code.co_firstlineno)


def _input_text(value: Input) -> str:
    match value:
        case Output(step):
            return f"output:{step}"
        case Param(name):
            return f"param:{name}"
        case Const(constant):
            return f"const:{constant!r}" if type(constant) in _PLAIN else _dump({"const": _canonical(constant)})
        case ListOf(items, as_tuple):
            return _dump({"tuple" if as_tuple else "list": [_input_text(item) for item in items]})
        case DictOf(items):
            return _dump({"dict": sorted([_dump(_canonical(key)), _input_text(item)] for key, item in items)})
        case _:
            assert_never(value)


def _canonical(value: object) -> object:
    """A form that is equal for equal values and does not depend on the process: no addresses, no order of sets."""
    if isinstance(value, Enum):
        return {"enum": _class_name(type(value)), "name": value.name}
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Mapping):
        pairs = cast("Mapping[object, object]", value).items()
        return {"map": sorted([_dump(_canonical(key)), _dump(_canonical(item))] for key, item in pairs)}
    if isinstance(value, set | frozenset):
        return {"set": sorted(_dump(_canonical(item)) for item in cast("set[object]", value))}
    if isinstance(value, list | tuple):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [_canonical(item) for item in cast("list[object]", value)]}
    if is_class(value) or callable(value):
        return {"ref": f"{getattr(value, '__module__', '')}:{getattr(value, '__qualname__', '')}"}
    kind_name = _class_name(type(value))
    if is_dataclass(value) or is_model(type(value)):
        return {"type": kind_name, "fields": dict(_fields(value))}
    if isinstance(value, bytes | bytearray):
        return {"type": kind_name, "text": bytes(value).hex()}
    if isinstance(value, PurePath | date | time | timedelta):
        return {"type": kind_name, "text": str(value)}
    return {"type": kind_name, "text": _ADDRESS.sub("", repr(value))}


def _fields(value: object) -> Iterator[tuple[str, object]]:
    if hasattr(value, "__dict__"):
        found = dict(vars(value))
    else:
        found = {field.name: getattr(value, field.name) for field in fields(cast("Any", value))}
    return ((name, _canonical(item)) for name, item in sorted(found.items()))


def _class_name(cls: type[object]) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def _dump(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
