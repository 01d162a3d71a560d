"""Task: a function that a pipeline may run, with the options of its steps."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, cast, overload

from actorflow.flows.build import current_build
from actorflow.flows.durations import Duration
from actorflow.flows.faults import Code, Fault, refused
from actorflow.flows.function import TaskFunction
from actorflow.flows.graph import RetryPolicy, TaskKind, TriggerRule
from actorflow.flows.memory import Memory
from actorflow.flows.places import calling_place
from actorflow.flows.retry import Retry
from actorflow.flows.settings import Options, Settings, changed
from actorflow.flows.sizes import Size

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)
A_contra = TypeVar("A_contra", contravariant=True)
A = TypeVar("A")


class _Callable1(Protocol[A_contra, Q, R_co]):
    """The self-type of `map`: its items go to the first parameter, the constants to the others, all checked."""

    def __call__(self, first: A_contra, /, *args: Q.args, **kwargs: Q.kwargs) -> R_co: ...


class Task(Generic[P, R_co]):
    """A function that a pipeline may run; made by `@task`.

    R_co is the function's raw return type, a coroutine for `async def`. Inside a dag function a call adds a step and
    returns a proxy that type checkers see as the value; elsewhere a `def` task runs its function, and an `async def`
    task raises and names `.fn`, the plain function for unit tests.
    """

    def __init__(self, fn: Callable[P, R_co], settings: Settings, function: TaskFunction | None = None) -> None:
        self.__actorflow_task__ = function or TaskFunction(fn)
        self._fn = fn
        self._settings = settings
        functools.update_wrapper(cast("Callable[..., object]", self), fn)

    @property
    def fn(self) -> Callable[P, R_co]:
        """The plain function, as it was written."""
        return self._fn

    @property
    def name(self) -> str:
        """What its steps are called."""
        return self._settings.name or self.__actorflow_task__.name

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What is wrong with the function and its options; told when its dag or file is loaded."""
        return (*self.__actorflow_task__.faults, *self._settings.faults)

    @overload
    def __call__(self: Task[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T: ...
    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> object:
        build = current_build()
        if build is not None:
            return build.call(self.__actorflow_task__, self._settings, args, kwargs)
        if self.__actorflow_task__.kind is TaskKind.coroutine:
            message = f"`{self.name}` is an `async def` task and is called outside a dag"
            raise refused(Code.called_outside, message, calling_place(), f"write `await {self.name}.fn(...)`")
        return self._fn(*args, **kwargs)

    def map(self: _Callable1[A, Q, R], items: Iterable[A], /, *args: Q.args, **kwargs: Q.kwargs) -> list[R]:
        """Run once for each of `items`, which go to the first parameter; the other arguments are the same for all.

        One step of the graph, whose width is known at run time; its output is the list of results in map order.
        Raises FlowFaults outside a dag.
        """
        task = cast("Task[..., R]", self)
        build = current_build()
        if build is None:
            message = f"`{task.name}.map` is called outside a dag"
            help = f"write `[{task.name}.fn(item) for item in items]`"
            raise refused(Code.called_outside, message, calling_place(), help)
        return cast("list[R]", build.map(task.__actorflow_task__, task._settings, items, args, kwargs))

    def options(
        self,
        *,
        after: Sequence[object] | None = None,
        max_in_flight: int | None = None,
        retry: Retry | RetryPolicy | None = None,
        timeout: Duration | None = None,
        deadline: Duration | None = None,
        queue_timeout: Duration | None = None,
        memory: Size | Memory | None = None,
        cpus: float | None = None,
        affinity: bool | None = None,
        executor: str | None = None,
        name: str | None = None,
        cleanup: bool | None = None,
        trigger_rule: TriggerRule | str | None = None,
        allow_failure: bool | None = None,
        critical: bool | None = None,
    ) -> Task[P, R_co]:
        """The same task with these options over its own.

        after: outputs, or names of steps, that must be there first and pass nothing. max_in_flight: how many items of
        a map run at once. name: of the step, unique in its dag. The others as in `@task(...)`.
        """
        options = Options(
            after=after,
            max_in_flight=max_in_flight,
            retry=retry,
            timeout=timeout,
            deadline=deadline,
            queue_timeout=queue_timeout,
            memory=memory,
            cpus=cpus,
            affinity=affinity,
            executor=executor,
            name=name,
            cleanup=cleanup,
            trigger_rule=trigger_rule,
            allow_failure=allow_failure,
            critical=critical,
        )
        place = calling_place()
        settings = changed(self._settings, options, owner=self.name, location=place, in_place=True)
        return Task(self._fn, settings, self.__actorflow_task__)

    def __set_name__(self, owner: type, name: str) -> None:
        function = self.__actorflow_task__
        message = f"task `{function.name}` is a method of class `{owner.__name__}`"
        help = "move it out of the class, or put @staticmethod above @task"
        fault = Fault(Code.bad_function, message, function.location, help)
        self._settings = replace(self._settings, faults=(*self._settings.faults, fault))

    def __repr__(self) -> str:
        return f"<task {self.name} ({self.__actorflow_task__.ref})>"


class TaskDecorator(Protocol):
    """What `@task(...)` with options gives."""

    def __call__(self, fn: Callable[P, R], /) -> Task[P, R]: ...


@overload
def task(fn: Callable[P, R], /) -> Task[P, R]: ...
@overload
def task(
    *,
    retry: Retry | RetryPolicy | None = None,
    timeout: Duration | None = None,
    deadline: Duration | None = None,
    queue_timeout: Duration | None = None,
    memory: Size | Memory | None = None,
    cpus: float | None = None,
    affinity: bool | None = None,
    executor: str | None = None,
    cleanup: bool | None = None,
    trigger_rule: TriggerRule | str | None = None,
    allow_failure: bool | None = None,
    critical: bool | None = None,
    max_in_flight: int | None = None,
    name: str | None = None,
) -> TaskDecorator: ...
def task(
    fn: Callable[P, R] | None = None,
    /,
    *,
    retry: Retry | RetryPolicy | None = None,
    timeout: Duration | None = None,
    deadline: Duration | None = None,
    queue_timeout: Duration | None = None,
    memory: Size | Memory | None = None,
    cpus: float | None = None,
    affinity: bool | None = None,
    executor: str | None = None,
    cleanup: bool | None = None,
    trigger_rule: TriggerRule | str | None = None,
    allow_failure: bool | None = None,
    critical: bool | None = None,
    max_in_flight: int | None = None,
    name: str | None = None,
) -> Task[P, R] | TaskDecorator:
    """Make a function a task, as `@task` or `@task(...)` with options.

    retry: when a failed attempt is followed by another. timeout: of one attempt. deadline: of all attempts and the
    waits between them, from when the first could start. queue_timeout: how long it may wait for its turn. memory:
    quota of one attempt, which then runs in a worker process; `"1GiB * attempt"` grows. cpus: how many it counts for
    against those there are. affinity: hold it to that many CPUs of its own. executor: where it runs; by default `def`
    in a worker process, `async def` on the loop. trigger_rule: when it runs, by how its upstreams ended. allow_failure:
    its failure counts as a success for what comes after and for the run. critical: its failure fails the run, whatever
    comes after. cleanup: it runs once its upstreams are over, however they ended, and also when the run is cancelled.
    max_in_flight: how many items of a map run at once. name: of its steps, by default the function's. Wrong options
    are told when the pipeline is loaded.
    """
    options = Options(
        retry=retry,
        timeout=timeout,
        deadline=deadline,
        queue_timeout=queue_timeout,
        memory=memory,
        cpus=cpus,
        affinity=affinity,
        executor=executor,
        cleanup=cleanup,
        trigger_rule=trigger_rule,
        allow_failure=allow_failure,
        critical=critical,
        max_in_flight=max_in_flight,
        name=name,
    )

    def made(fn: Callable[P, R], /) -> Task[P, R]:
        return _task(fn, options)

    return cast("TaskDecorator", made) if fn is None else made(fn)


def _task(fn: Callable[P, R], options: Options) -> Task[P, R]:
    if isinstance(fn, Task) or not inspect.isroutine(fn):
        what = "a task already" if isinstance(fn, Task) else f"given {fn!r}"
        raise refused(
            Code.bad_function, f"`@task` takes a function, but is {what}", calling_place(), "put it above a `def`"
        )
    settings = changed(Settings(), options, owner=fn.__name__, location=calling_place(), in_place=False)
    return Task(fn, settings)


__all__ = ["Task", "TaskDecorator", "task"]
