"""Build: the graph of a dag while its function is traced; every task call adds a step, every fault is kept."""

from __future__ import annotations

import typing
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, cast

from actorflow.flows.faults import Code, Fault, Related
from actorflow.flows.function import TaskFunction
from actorflow.flows.graph import Const, Input, ListOf, Location, Output, Step
from actorflow.flows.hints import annotation_name
from actorflow.flows.inputs import ForeignOutput, HiddenOutput, Mismatch, mismatch, to_input, way_out
from actorflow.flows.places import calling_place
from actorflow.flows.proxy import Origin, Unresolved
from actorflow.flows.settings import Settings
from actorflow.flows.types import NOT_ITERABLE, element_type

_current: ContextVar[Build | None] = ContextVar("actorflow_build", default=None)


def current_build() -> Build | None:
    """The build that the calling code belongs to; None outside a dag function."""
    return _current.get()


@dataclass(slots=True, eq=False)
class Build:
    """One trace of a dag function.

    file: of the dag. steps: in the order of their calls. functions: the plain function of each task.
    """

    file: str
    steps: list[Step] = field(default_factory=list[Step])
    faults: list[Fault] = field(default_factory=list[Fault])
    functions: dict[str, Callable[..., object]] = field(default_factory=dict[str, Callable[..., object]])
    _refs: dict[Callable[..., object], str] = field(default_factory=dict[Callable[..., object], str])
    _uses: dict[str, int] = field(default_factory=dict[str, int])
    _afters: list[tuple[int, Settings]] = field(default_factory=list[tuple[int, Settings]])

    @contextmanager
    def active(self) -> Generator[None]:
        """Task calls inside belong to this build."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    def call(
        self, function: TaskFunction, settings: Settings, args: Iterable[object], kwargs: Mapping[str, object]
    ) -> Unresolved:
        """Add a plain step and give what stands for its output."""
        location = calling_place(self.file)
        given, faults = function.arguments(tuple(args), kwargs, location)
        self._note(function, settings, faults)
        inputs = self._inputs(function, given, location)
        return self._add(function, settings, location, inputs, mapped=None, output=function.output)

    def map(
        self,
        function: TaskFunction,
        settings: Settings,
        items: object,
        args: Iterable[object],
        kwargs: Mapping[str, object],
    ) -> Unresolved:
        """Add a step that runs once for each item and give what stands for the list of its outputs."""
        location = calling_place(self.file)
        mapped = next(iter(function.positional), "")
        given, faults = function.arguments(tuple(args), kwargs, location, skip=mapped)
        if not mapped:
            message = f"`{function.name}.map` needs a first parameter that takes one item; `{function.name}` has none"
            faults.append(Fault(Code.bad_map, message, location, "give the task a parameter for the item"))
        self._note(function, settings, faults)
        over = self._map_items(function, mapped, items, location) if mapped else Const([])
        inputs = ((mapped, over), *self._inputs(function, given, location))
        output = cast("Any", list)[function.output]
        return self._add(function, settings, location, inputs, mapped=mapped, output=output)

    def as_input(self, value: object, location: Location, what: str) -> Input:
        """`value` as data; what cannot be found or taken is a fault."""
        try:
            return to_input(value, self)
        except HiddenOutput as exc:
            message = f"{exc.value._origin.label} is hidden inside a `{exc.holder}` {what}; it would not be found"
            help = "pass it as an argument of its own, or in a list, tuple or dict"
        except ForeignOutput as exc:
            message = f"{exc.value._origin.label} belongs to another dag and cannot be used {what}"
            help = "call the task in this dag too"
        self.faults.append(Fault(Code.unresolved_use, message, location, help))
        return Const(None)

    def check(self, value: object, wanted: object, location: Location, taker: str, place: Location) -> None:
        """A fault where `value` cannot be of the type `wanted`. taker: what asks for it; place: where it does."""
        found = mismatch(value, wanted)
        if found is not None:
            self.faults.append(_mismatch_fault(found, wanted, location, taker, place))

    def link_afters(self) -> None:
        """Put the `after` of each step into the graph, now that every step has its name."""
        for position, settings in self._afters:
            step = self.steps[position]
            names = [name for entry in settings.after if (name := self._after_name(entry, step)) is not None]
            self.steps[position] = replace(step, after=tuple(dict.fromkeys(names)))

    def _note(self, function: TaskFunction, settings: Settings, faults: Iterable[Fault]) -> None:
        misshapen = any(fault.code is Code.bad_function for fault in function.faults)
        self.faults += [*function.faults, *settings.faults, *([] if misshapen else faults)]

    def _inputs(
        self, function: TaskFunction, given: Mapping[str, object], location: Location
    ) -> tuple[tuple[str, Input], ...]:
        return tuple((name, self._input(function, name, value, location)) for name, value in given.items())

    def _input(self, function: TaskFunction, name: str, value: object, location: Location) -> Input:
        found = self.as_input(value, location, f"in a call of `{function.name}`")
        wanted = function.annotation(name)
        if mismatch(value, wanted) is not None:
            taker = f"`{function.name}` takes `{function.shown_parameter(name)}`"
            self.check(value, wanted, location, taker, function.parameter_place(name))
        return found

    def _map_items(self, function: TaskFunction, mapped: str, items: object, location: Location) -> Input:
        what = f"in `{function.name}.map`"
        if type(items) is Unresolved:
            self._check_iterated(function, mapped, items, location)
            return self.as_input(items, location, what)
        trouble = _why_not_mapped(type(items), type(items).__name__)
        if trouble:
            self.faults.append(Fault(Code.bad_map, f"`{function.name}.map` {trouble[0]}", location, trouble[1]))
            return Const([])
        listed = list(cast("Iterable[object]", items))
        for item in listed:
            before = len(self.faults)
            self._check_item(function, mapped, item, location)
            if len(self.faults) > before:
                break
        found = self.as_input(listed, location, what)
        return found if isinstance(found, Const | ListOf) else Const([])

    def _check_item(self, function: TaskFunction, mapped: str, item: object, location: Location) -> None:
        wanted = function.annotation(mapped)
        if mismatch(item, wanted) is not None:
            taker = f"each run of `{function.name}` takes `{function.shown_parameter(mapped)}`"
            self.check(item, wanted, location, taker, function.parameter_place(mapped))

    def _check_iterated(self, function: TaskFunction, mapped: str, items: Unresolved, location: Location) -> None:
        annotation = items._annotation
        trouble = _why_not_mapped(annotation, annotation_name(annotation))
        if trouble:
            related = (Related(items._origin.place(), f"{items._origin.label}: `{annotation_name(annotation)}`"),)
            message = f"`{function.name}.map` {trouble[0]}"
            self.faults.append(Fault(Code.bad_map, message, location, trouble[1], related))
            return
        origin = Origin(f"each item of {items._origin.label}", items._origin.short, items._origin.place)
        item = Unresolved(items._input, element_type(annotation), origin, self)
        self._check_item(function, mapped, item, location)

    def _add(
        self,
        function: TaskFunction,
        settings: Settings,
        location: Location,
        inputs: tuple[tuple[str, Input], ...],
        *,
        mapped: str | None,
        output: object,
    ) -> Unresolved:
        name = self._name(settings, function)
        self.steps.append(
            Step(
                name=name,
                task=self._ref(function),
                kind=function.kind,
                location=location,
                inputs=inputs,
                mapped=mapped,
                executor=settings.executor,
                retry=settings.retry,
                timeout_s=settings.timeout_s,
                deadline_s=settings.deadline_s,
                queue_timeout_s=settings.queue_timeout_s,
                memory_bytes=settings.memory_bytes,
                memory_growth=settings.memory_growth,
                cpus=settings.cpus,
                affinity=settings.affinity,
                trigger_rule=settings.trigger_rule,
                max_in_flight=settings.max_in_flight,
                allow_failure=settings.allow_failure,
                critical=settings.critical,
                cleanup=settings.cleanup,
                why_not_importable=function.why_not_importable,
            )
        )
        if settings.after:
            self._afters.append((len(self.steps) - 1, settings))
        origin = Origin(f"the output of `{name}`", name, function.return_place)
        return Unresolved(Output(name), output, origin, self)

    def _name(self, settings: Settings, function: TaskFunction) -> str:
        """The name asked for, else the task's, made unique with a number; two asked for alike are a fault later on."""
        base = name = settings.name or function.name
        while name in self._uses and not settings.named:
            self._uses[base] += 1
            name = f"{base}-{self._uses[base]}"
        self._uses.setdefault(name, 1)
        return name

    def _ref(self, function: TaskFunction) -> str:
        """The task's reference; functions that share one (made in a factory) are told apart by a number."""
        if function.fn not in self._refs:
            ref, number = function.ref, 2
            while ref in self.functions:
                ref, number = f"{function.ref}#{number}", number + 1
            self._refs[function.fn] = ref
            self.functions[ref] = function.fn
        return self._refs[function.fn]

    def _after_name(self, entry: object, step: Step) -> str | None:
        if isinstance(entry, str):
            return entry
        if type(entry) is Unresolved:
            found = self.as_input(entry, step.location, "in `after`")
            if isinstance(found, Output):
                return found.step
            if not isinstance(found, Const):
                label = entry._origin.label
                self._wrong_after(step, f"{label} is there from the start", "leave it out")
            return None
        self._wrong_after(step, f"`{entry!r}` is neither an output nor the name of a step", "write after=[output]")
        return None

    def _wrong_after(self, step: Step, why: str, help: str) -> None:
        self.faults.append(
            Fault(Code.bad_option, f"`after` of step `{step.name}` is wrong: {why}", step.location, help)
        )


def _why_not_mapped(annotation: object, shown: str) -> tuple[str, str] | None:
    """(what is wrong, way out) of mapping over a value of this type; None where it can be done."""
    origin = typing.get_origin(annotation) or annotation
    if origin in (str, bytes, bytearray):
        return f"would take a `{shown}` letter by letter", "put it into a list, `[...]`"
    if origin in (set, frozenset):
        return (
            f"is given a `{shown}`, which has no order: no item would keep its map index",
            "sort it into a list first",
        )
    if element_type(annotation) is NOT_ITERABLE:
        return f"needs many items, and `{shown}` is not iterable", "pass a list, or call the task without `.map`"
    return None


def _mismatch_fault(found: Mismatch, wanted: object, location: Location, taker: str, place: Location) -> Fault:
    came = f"{found.label} is `{found.shown}`" if found.label else f"{found.shown} is given"
    related = [Related(place, taker)]
    if found.place is not None:
        related.insert(0, Related(found.place, came))
    return Fault(Code.type_mismatch, f"{taker}, but {came}", location, way_out(found.source, wanted), tuple(related))
