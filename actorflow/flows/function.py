"""TaskFunction: the function behind a task, and what can be known of it without calling it."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from inspect import Parameter

from actorflow.flows.encodable import not_encodable
from actorflow.flows.faults import Code, Fault, did_you_mean
from actorflow.flows.graph import Location, TaskKind
from actorflow.flows.hints import annotation_name, hint, hints_of
from actorflow.flows.places import definition_place, parameter_place, return_place

_BY_NAME = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


class TaskFunction:
    """fn: the plain function. ref: its "module:qualname". kind: `def` or `async def`."""

    def __init__(self, fn: Callable[..., object]) -> None:
        self.fn = fn
        self.name = fn.__name__
        self.ref = f"{fn.__module__}:{fn.__qualname__}"
        self.kind = TaskKind.coroutine if inspect.iscoroutinefunction(fn) else TaskKind.sync

    @cached_property
    def location(self) -> Location:
        """The line of its `def`."""
        return definition_place(self.fn)

    @cached_property
    def parameters(self) -> Mapping[str, Parameter]:
        return inspect.signature(self.fn).parameters

    @cached_property
    def hints(self) -> Mapping[str, object]:
        return hints_of(self.fn)

    @cached_property
    def positional(self) -> tuple[str, ...]:
        """The parameters that a call may give by position, in order."""
        return tuple(name for name, it in self.parameters.items() if it.kind is Parameter.POSITIONAL_OR_KEYWORD)

    @cached_property
    def order(self) -> Mapping[str, int]:
        """The position of each parameter in the signature."""
        return {name: position for position, name in enumerate(self.parameters)}

    @cached_property
    def required(self) -> tuple[str, ...]:
        return tuple(
            name for name, it in self.parameters.items() if it.kind in _BY_NAME and it.default is Parameter.empty
        )

    @cached_property
    def takes_any_keyword(self) -> bool:
        return any(it.kind is Parameter.VAR_KEYWORD for it in self.parameters.values())

    @cached_property
    def faults(self) -> tuple[Fault, ...]:
        """What is wrong with the function itself."""
        return (*_shape_faults(self), *_output_faults(self))

    @cached_property
    def why_not_importable(self) -> str:
        """Why another process could not import it; "" if it could."""
        module, _, qualname = self.ref.partition(":")
        if module == "__main__":
            return "it is defined in `__main__` (a script or a notebook)"
        if "<lambda>" in qualname:
            return "it is a lambda"
        if "<locals>" in qualname:
            return "it is defined inside a function"
        if function_at(sys.modules.get(module), qualname) is not self.fn:
            return f"`{qualname}` of module `{module}` is something else by now"
        return ""

    def annotation(self, parameter: str) -> object:
        """The annotation of a parameter; that of `**kwargs` for a name it would take."""
        if parameter not in self.parameters:
            parameter = next(name for name, it in self.parameters.items() if it.kind is Parameter.VAR_KEYWORD)
        return hint(self.hints, parameter)

    @property
    def output(self) -> object:
        """The annotation of what it returns, for `async def` of what awaiting it gives."""
        return hint(self.hints, "return")

    def shown_parameter(self, name: str) -> str:
        """`reports: list[ModuleReport]`."""
        return f"{name}: {annotation_name(self.annotation(name))}"

    def parameter_place(self, name: str) -> Location:
        return parameter_place(self.fn, name)

    def return_place(self) -> Location:
        return return_place(self.fn)

    def arguments(
        self, args: Sequence[object], kwargs: Mapping[str, object], location: Location, *, skip: str = ""
    ) -> tuple[dict[str, object], list[Fault]]:
        """The arguments by name, in the order of the signature, and what is wrong with them.

        skip: a parameter that is given in another way (the one a map fills).
        """
        names = [name for name in self.positional if name != skip]
        given = dict(zip(names, args, strict=False))
        faults: list[Fault] = []
        if len(args) > len(names):
            message = f"`{self.name}` takes {_count(len(names), 'argument')} by position, {len(args)} are given"
            faults.append(self._wrong(message, location))
        for name, value in kwargs.items():
            if name in given or name == skip:
                faults.append(self._wrong(f"`{self.name}` is given `{name}` twice", location))
            elif not self._knows(name):
                help = did_you_mean(name, [known for known in self.parameters if known not in given])
                faults.append(self._wrong(f"`{self.name}` has no parameter `{name}`", location, help))
            else:
                given[name] = value
        missing = [name for name in self.required if name not in given and name != skip]
        if missing:
            shown = ", ".join(f"`{self.shown_parameter(name)}`" for name in missing)
            faults.append(self._wrong(f"`{self.name}` is called without {shown}", location, "pass it in the call"))
        if kwargs:
            given = dict(sorted(given.items(), key=lambda item: self.order.get(item[0], len(self.order))))
        return given, faults

    def _knows(self, name: str) -> bool:
        known = self.parameters.get(name)
        return self.takes_any_keyword if known is None else known.kind in _BY_NAME

    def _wrong(self, message: str, location: Location, help: str = "") -> Fault:
        return Fault(Code.wrong_arguments, message, location, help)


def function_at(module: object, qualname: str) -> object:
    """The plain function that `qualname` names in `module`, behind a Task if there is one; None where there is none."""
    found = module
    for part in qualname.split("."):
        found = getattr(found, part, None)
    inner = getattr(found, "__actorflow_task__", None)
    return inner.fn if isinstance(inner, TaskFunction) else found


def _shape_faults(function: TaskFunction) -> list[Fault]:
    faults: list[Fault] = []
    if inspect.isgeneratorfunction(function.fn) or inspect.isasyncgenfunction(function.fn):
        message = f"task `{function.name}` is a generator (it has `yield`)"
        help = "return a list; streams of records are not built yet"
        faults.append(Fault(Code.bad_function, message, function.location, help))
    for name, parameter in function.parameters.items():
        if parameter.kind in (Parameter.POSITIONAL_ONLY, Parameter.VAR_POSITIONAL):
            what = f"`*{name}`" if parameter.kind is Parameter.VAR_POSITIONAL else f"`{name}` by position only"
            message = f"task `{function.name}` takes {what}, but a run passes every argument by its name"
            help = "write it as a plain parameter; for many values take a list"
            faults.append(Fault(Code.bad_function, message, function.parameter_place(name), help))
    return faults


def _output_faults(function: TaskFunction) -> list[Fault]:
    refused = not_encodable(function.output)
    if refused is None:
        return []
    whole = annotation_name(function.output)
    shown = refused.type_name if refused.path == whole else whole
    inside = "" if refused.type_name == shown else f" (`{refused.path}` is a `{refused.type_name}`)"
    message = f"task `{function.name}` returns `{shown}`{inside}, which cannot be written to the journal or sent"
    return [Fault(Code.bad_output_type, message, function.return_place(), refused.help)]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
