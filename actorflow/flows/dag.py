"""Dag: a function that says how tasks hang together; traced once to a graph, at the first need of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from inspect import Parameter
from types import MappingProxyType
from typing import Generic, NoReturn, ParamSpec, Protocol, TypeVar, cast, overload

from actorflow.flows.build import Build, current_build
from actorflow.flows.checks import in_topological_order, structure_faults
from actorflow.flows.dag_settings import DagSettings, dag_settings
from actorflow.flows.durations import Duration
from actorflow.flows.faults import Code, Fault, FlowFaults, Related, refused
from actorflow.flows.function import TaskFunction
from actorflow.flows.graph import Const, Graph, Input, Location, Param, Step
from actorflow.flows.graph import ParamSpec as GraphParam
from actorflow.flows.hints import Unknown, annotation_name
from actorflow.flows.params import BoundParam
from actorflow.flows.places import calling_place, user_frames
from actorflow.flows.proxy import Origin, Unresolved
from actorflow.flows.sizes import Size
from actorflow.flows.types import value_fits

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Traced:
    """What tracing a dag gave: as much of its steps as could be made, and everything that is wrong with it."""

    params: tuple[GraphParam, ...]
    steps: tuple[Step, ...]
    faults: tuple[Fault, ...]
    functions: Mapping[str, Callable[..., object]]
    graph: Graph | None
    error: BaseException | None = None


@dataclass(frozen=True, slots=True, eq=False)
class BoundDag(Generic[R_co]):
    """A dag with values for some of its parameters, each with its source; the others keep their defaults."""

    dag: Dag[..., R_co]
    params: Mapping[str, BoundParam]


class Dag(Generic[P, R_co]):
    """A pipeline; made by `@dag`. Its parameters are the function's typed signature, R_co what a run of it returns."""

    def __init__(self, fn: Callable[P, R_co], name: str = "", settings: DagSettings | None = None) -> None:
        self._fn = fn
        self._function = TaskFunction(fn)
        self._settings = settings or DagSettings()
        self.name = name or fn.__name__
        self.__doc__ = fn.__doc__

    @property
    def fn(self) -> Callable[P, R_co]:
        """The plain function."""
        return self._fn

    @property
    def module(self) -> str:
        """The name under which its file is imported, here and in workers."""
        return self._fn.__module__

    @property
    def file(self) -> str:
        """The path of its file."""
        return self.location.file

    @property
    def location(self) -> Location:
        """The line of its `def`."""
        return self._function.location

    @property
    def graph(self) -> Graph:
        """The pipeline as data; the function is traced at the first need. Raises FlowFaults with all that is wrong."""
        if self.traced.graph is None:
            raise FlowFaults(self.traced.faults) from self.traced.error
        return self.traced.graph

    @property
    def functions(self) -> Mapping[str, Callable[..., object]]:
        """The plain function of each task of the graph, by the `task` of its step."""
        return self.traced.functions

    @cached_property
    def traced(self) -> Traced:
        """The outcome of tracing, faults included; raises nothing of the user's."""
        return _trace(self)

    def bind(self, *args: P.args, **kwargs: P.kwargs) -> BoundDag[R_co]:
        """The dag with these values for its parameters; raises FlowFaults where they are not its parameters."""
        given, faults = self._function.arguments(args, kwargs, calling_place())
        if faults:
            raise FlowFaults(faults)
        return BoundDag(self, MappingProxyType({name: BoundParam(value, "bind") for name, value in given.items()}))

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> NoReturn:
        place = calling_place()
        if current_build() is not None:
            message = f"dag `{self.name}` is called inside a dag, and sub-dags are not built yet"
            raise refused(Code.nested_dag, message, place, "call its tasks here, from a plain function that both use")
        message = f"dag `{self.name}` is called, but a dag is run, not called"
        help = f"write `actorflow.run({self._fn.__name__}.bind(...))`, or `actorflow run` and the name of its file"
        raise refused(Code.called_outside, message, place, help)

    def __repr__(self) -> str:
        return f"<dag {self.name} ({self._function.ref})>"


class DagDecorator(Protocol):
    """What `@dag(...)` with options gives."""

    def __call__(self, fn: Callable[P, R], /) -> Dag[P, R]: ...


@overload
def dag(fn: Callable[P, R], /) -> Dag[P, R]: ...
@overload
def dag(
    *,
    name: str | None = None,
    timeout: Duration | None = None,
    max_memory: Size | None = None,
    fail_fast: bool | None = None,
) -> DagDecorator: ...
def dag(
    fn: Callable[P, R] | None = None,
    /,
    *,
    name: str | None = None,
    timeout: Duration | None = None,
    max_memory: Size | None = None,
    fail_fast: bool | None = None,
) -> Dag[P, R] | DagDecorator:
    """Make a function a dag, as `@dag` or `@dag(...)` with options; it is traced when its graph is first needed.

    timeout: of a whole run, pauses left out. max_memory: declared memory of the attempts that run at once. fail_fast:
    the first failure that counts ends what runs, and the run. All give way to what the run is told. Wrong options are
    told when the dag is loaded.
    """

    def made(fn: Callable[P, R], /) -> Dag[P, R]:
        if not inspect.isfunction(fn):
            message = f"`@dag` takes a function, but is given {fn!r}"
            raise refused(Code.bad_function, message, calling_place(), "put it above a `def`")
        place = calling_place()
        settings = dag_settings(name or fn.__name__, place, timeout=timeout, max_memory=max_memory, fail_fast=fail_fast)
        return Dag(fn, name or "", settings)

    return cast("DagDecorator", made) if fn is None else made(fn)


def _trace(dag: Dag[..., object]) -> Traced:
    function, build = dag._function, Build(dag.file)
    params = tuple(_param(function, name, parameter) for name, parameter in function.parameters.items())
    shape_faults = _shape_faults(function)
    returned, raised, error = (Const(None), (), None) if shape_faults else _call(dag, params, build)
    build.link_afters()
    faults = (
        *shape_faults,
        *dag._settings.faults,
        *_param_faults(function, params),
        *build.faults,
        *raised,
        *_structure_faults(build, complete=error is None),
    )
    graph = Graph(
        name=dag.name,
        module=dag.module,
        location=dag.location,
        params=params,
        steps=in_topological_order(build.steps),
        result=returned,
        timeout_s=dag._settings.timeout_s,
        max_memory_bytes=dag._settings.max_memory_bytes,
        fail_fast=dag._settings.fail_fast,
    )
    functions = MappingProxyType(build.functions)
    return Traced(params, tuple(build.steps), faults, functions, None if faults else graph, error)


def _call(
    dag: Dag[..., object], params: tuple[GraphParam, ...], build: Build
) -> tuple[Input, tuple[Fault, ...], BaseException | None]:
    """Run the dag function with proxies for its parameters: what it returned, else its faults and what it raised."""
    function = dag._function
    try:
        with build.active():
            result = dag.fn(**{param.name: _proxy(function, param, build) for param in params})
    except FlowFaults as exc:
        return Const(None), exc.faults, exc
    except Exception as exc:  # noqa: BLE001 - whatever the user's function raises is a fault of the file
        return Const(None), (_failure(function, exc),), exc
    taker = f"dag `{dag.name}` returns `{annotation_name(function.output)}`"
    build.check(result, function.output, function.location, taker, function.return_place())
    return build.as_input(result, function.location, f"in what dag `{dag.name}` returns"), (), None


def _structure_faults(build: Build, *, complete: bool) -> list[Fault]:
    """Where tracing stopped half way, a step that others wait for may have been still to come."""
    return [fault for fault in structure_faults(build.steps) if complete or fault.code is not Code.unknown_step]


def _param(function: TaskFunction, name: str, parameter: Parameter) -> GraphParam:
    required = parameter.default is Parameter.empty
    default = None if required else parameter.default
    return GraphParam(name=name, annotation=function.annotation(name), required=required, default=default)


def _proxy(function: TaskFunction, param: GraphParam, build: Build) -> Unresolved:
    origin = Origin(f"the parameter `{param.name}`", param.name, lambda: function.parameter_place(param.name))
    return Unresolved(Param(param.name), param.annotation, origin, build)


def _shape_faults(function: TaskFunction) -> list[Fault]:
    faults: list[Fault] = []
    help = "a dag is a plain `def` that calls tasks and returns their outputs"
    if inspect.iscoroutinefunction(function.fn) or inspect.isasyncgenfunction(function.fn):
        faults.append(
            Fault(
                Code.bad_function,
                f"dag `{function.name}` is an `async def`",
                function.location,
                f"{help}; nothing in it is awaited",
            )
        )
    elif inspect.isgeneratorfunction(function.fn):
        faults.append(
            Fault(Code.bad_function, f"dag `{function.name}` is a generator (it has `yield`)", function.location, help)
        )
    for name, parameter in function.parameters.items():
        if parameter.kind not in (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY):
            message = f"dag `{function.name}` has the parameter `{parameter}`, but each one is given by its name"
            place = function.parameter_place(name)
            faults.append(Fault(Code.bad_function, message, place, "write it as a plain parameter"))
    return faults


def _param_faults(function: TaskFunction, params: tuple[GraphParam, ...]) -> list[Fault]:
    faults: list[Fault] = []
    for param in params:
        place = function.parameter_place(param.name)
        if isinstance(param.annotation, Unknown):
            message = (
                f"the annotation `{param.annotation}` of parameter `{param.name}` names nothing when the program runs"
            )
            help = "import it, and not under `if TYPE_CHECKING`: values given from outside are read by it"
            faults.append(Fault(Code.bad_parameter_type, message, place, help))
        elif not param.required and not value_fits(param.default, param.annotation):
            shown = annotation_name(param.annotation)
            message = f"the default of parameter `{param.name}` is {param.default!r}, which is no `{shown}`"
            faults.append(Fault(Code.bad_parameter_type, message, place, "change the default or the annotation"))
    return faults


def _failure(function: TaskFunction, exc: BaseException) -> Fault:
    frames = user_frames(exc)
    message = f"dag `{function.name}` raised {type(exc).__name__} while its graph was built: {exc}"
    help = "no task runs while the graph is built; what needs their values belongs into a task"
    if Unresolved.__name__ in str(exc):
        help = "an output or a parameter (`Unresolved`) has no value yet; pass it to a task that does this"
    related = tuple(Related(place, source) for place, source in frames[:-1])
    return Fault(Code.dag_function_failed, message, frames[-1][0] if frames else function.location, help, related)
