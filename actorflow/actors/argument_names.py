"""Argument names: a place inside the encoded arguments of a call, in the words of the handler: `by.rows[3]`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any, cast

from actorflow.actors.codec import EncodeError

CALL = "call"
"""The name under which the pair of positional and named arguments is encoded."""

_PLACE = re.compile(rf"{CALL}\[(?:0\]\[(?P<position>\d+)|1\]\['(?P<name>\w+)')\](?P<rest>.*)", re.DOTALL)


def named_after_parameters(error: EncodeError, function: object) -> EncodeError:
    """`error` about a call of `function`, its path beginning with a parameter; as it is where none is known."""
    found = _PLACE.fullmatch(error.path)
    if found is None:
        return error
    name = found["name"] or _parameter(function, int(found["position"]))
    return EncodeError(path=name + found["rest"], type_name=error.type_name, reason=error.reason, help=error.help)


def _parameter(function: object, position: int) -> str:
    """What the handler calls its argument at `position`, after `self`; `rows[2]` for the third of `*rows`."""
    if function is None:
        return f"argument {position + 1}"
    parameters = list(inspect.signature(cast("Callable[..., Any]", function)).parameters.values())[1:]
    for index, parameter in enumerate(parameters):
        if parameter.kind is parameter.VAR_POSITIONAL:
            return f"{parameter.name}[{position - index}]"
        if index == position:
            return parameter.name
    return f"argument {position + 1}"
