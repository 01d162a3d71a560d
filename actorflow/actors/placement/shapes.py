"""Shapes: which plain arguments and replies fit a handler by their types alone, so that nothing else need look at them.

`signatures` checks everything, with pydantic, strictly. Of a parameter declared `int`, `float`, `bool`, `str`, `bytes`,
`None`, `Any` or a union of these, it lets a value of exactly that type pass unchanged. That much is known beforehand,
and looking it up costs a tenth of asking. What is not known here is not refused, but asked.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

from actorflow.actors.codec.lower import SCALARS

Types = tuple[type, ...]
Key = Types | tuple[Types, tuple[str, ...], Types]
Fitting = frozenset[type]
"""Types whose values pass unchanged."""

_NONE: Final[Fitting] = frozenset()
MAX_KNOWN: Final = 64
"""Combinations of types that are remembered for one handler."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One of a handler. fits: what passes it. is_optional: it may be left out, and its default cannot change."""

    name: str
    fits: Fitting
    is_optional: bool
    by_position: bool = True
    by_name: bool = True


class Shapes:
    """Of one handler. parameters: None where nothing is known of them. replies: types that fit what it returns."""

    __slots__ = ("_known", "_parameters", "replies")

    def __init__(self, parameters: tuple[Parameter, ...] | None = None, replies: Fitting = _NONE) -> None:
        self._parameters = parameters
        self._known: dict[Key, bool] = {}
        self.replies = replies

    def fit(self, args: Types) -> bool:
        """Whether positional arguments of these types are sure to pass, unchanged."""
        found = self._known.get(args)
        return self._decided(args, args, (), ()) if found is None else found

    def fit_named(self, args: Types, names: tuple[str, ...], named: Types) -> bool:
        """The same with named arguments behind them."""
        key = (args, names, named)
        found = self._known.get(key)
        return self._decided(key, args, names, named) if found is None else found

    def _decided(self, key: Key, args: Types, names: tuple[str, ...], named: Types) -> bool:
        parameters = self._parameters
        found = parameters is not None and _pass(parameters, args, dict(zip(names, named, strict=True)))
        if len(self._known) < MAX_KNOWN:
            self._known[key] = found
        return found


def _pass(parameters: tuple[Parameter, ...], args: Types, named: dict[str, type]) -> bool:
    """Whether each argument fits a parameter of its own, and those left out may be."""
    if len(args) > len(parameters):
        return False
    for parameter, kind in zip(parameters, args, strict=False):
        if not parameter.by_position or kind not in parameter.fits:
            return False
    for parameter in parameters[len(args) :]:
        if parameter.by_name and parameter.name in named:
            if named.pop(parameter.name) not in parameter.fits:
                return False
        elif not parameter.is_optional:
            return False
    return not named


def shapes_of(function: Callable[..., Any]) -> Shapes:
    """Of a handler as its class has it. Raises what reading its annotations raises."""
    hints = get_type_hints(function, include_extras=True)
    replies = fitting(hints.get("return", Any))
    parameters: list[Parameter] = []
    for found in list(inspect.signature(function).parameters.values())[1:]:
        if found.kind in (found.VAR_POSITIONAL, found.VAR_KEYWORD):
            return Shapes(None, replies)
        fits = fitting(hints.get(found.name, Any))
        # A default that could change is copied for each call by whoever checks it.
        is_optional = type(found.default) in SCALARS
        by_position, by_name = found.kind is not found.KEYWORD_ONLY, found.kind is not found.POSITIONAL_ONLY
        parameters.append(Parameter(found.name, fits, is_optional, by_position, by_name))
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
