"""Shapes: which plain arguments and replies fit a handler by their types alone, so that nothing else need look at them.

`signatures` checks everything, with pydantic, strictly. Of a parameter declared `int`, `float`, `bool`, `str`, `bytes`,
`None`, `Any` or a union of these, it lets a value of exactly that type pass unchanged. That much is known beforehand,
and looking it up costs a tenth of asking. What is not known here is not refused, but asked.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

from actorflow.actors.codec.lower import SCALARS

Types = tuple[type, ...]
Fitting = frozenset[type]
"""Types whose values pass unchanged."""

_NONE: Final[Fitting] = frozenset()
MAX_KNOWN: Final = 64
"""Combinations of types that are remembered for one handler."""


class Shapes:
    """Of one handler. parameters: for each positional one, what fits it and whether it may be left out.

    replies: types that fit what it declares to return.
    """

    __slots__ = ("_known", "_parameters", "replies")

    def __init__(self, parameters: tuple[tuple[Fitting, bool], ...] | None = None, replies: Fitting = _NONE) -> None:
        self._parameters = parameters
        self._known: dict[Types, bool] = {}
        self.replies = replies

    def fit(self, args: Types) -> bool:
        """Whether positional arguments of these types are sure to pass, unchanged."""
        found = self._known.get(args)
        if found is None:
            found = self._decide(args)
            if len(self._known) < MAX_KNOWN:
                self._known[args] = found
        return found

    def _decide(self, args: Types) -> bool:
        parameters = self._parameters
        if parameters is None or len(args) > len(parameters):
            return False
        return all(kind in fitting for kind, (fitting, _) in zip(args, parameters, strict=False)) and all(
            is_optional for _, is_optional in parameters[len(args) :]
        )


def shapes_of(function: Callable[..., Any]) -> Shapes:
    """Of a handler as its class has it. Raises what reading its annotations raises."""
    hints = get_type_hints(function, include_extras=True)
    replies = fitting(hints.get("return", Any))
    parameters: list[tuple[Fitting, bool]] = []
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        if parameter.kind not in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            return Shapes(None, replies)
        # A default that could change is copied for each call by whoever checks it.
        is_optional = type(parameter.default) in SCALARS
        parameters.append((fitting(hints.get(parameter.name, Any)), is_optional))
    return Shapes(tuple(parameters), replies)


def fitting(declared: Any) -> Fitting:
    """The exact types whose values pass unchanged; none where that is not known."""
    if declared is Any:
        return SCALARS
    if declared is None:
        return frozenset({types.NoneType})
    if get_origin(declared) in (Union, types.UnionType):
        parts = [fitting(part) for part in get_args(declared)]
        return _NONE.union(*parts) if all(parts) else _NONE
    return frozenset({declared}) if isinstance(declared, type) and declared in SCALARS else _NONE
