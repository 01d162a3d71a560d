"""The graph: what a pipeline is, as plain data. Names, never objects; equal graphs compare and hash equal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from actorflow_supervisors import Backoff


class TriggerRule(StrEnum):
    """When a step may run, judged once every direct upstream is terminal (the table: actorflow/runs/triggers.py)."""

    all_success = "all_success"
    all_done = "all_done"
    all_failed = "all_failed"
    one_success = "one_success"
    one_failed = "one_failed"
    none_failed = "none_failed"
    none_failed_min_one_success = "none_failed_min_one_success"
    all_done_min_one_success = "all_done_min_one_success"
    always = "always"


class TaskKind(StrEnum):
    """How the body is called: `def` or `async def`."""

    sync = "sync"
    coroutine = "coroutine"


@dataclass(frozen=True, slots=True)
class Const:
    """A value written in the dag function."""

    value: object


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of the dag, by name; bound when the plan is made."""

    name: str


@dataclass(frozen=True, slots=True)
class Output:
    """The output of an upstream step; of a mapped step, the list of all its outputs in map order."""

    step: str


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list or tuple written in the dag function that holds at least one unresolved input."""

    items: tuple[Input, ...]
    as_tuple: bool = False


@dataclass(frozen=True, slots=True)
class DictOf:
    """A dict written in the dag function that holds at least one unresolved input; keys are plain values."""

    items: tuple[tuple[object, Input], ...]


Input = Const | Param | Output | ListOf | DictOf


@dataclass(frozen=True, slots=True)
class Location:
    """A place in the user's file; lines count from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """The restart policy of a task's attempts.

    attempts: >= 1, all executions counted. backoff: the wait before attempt n + 1 is `backoff.delay_s(n, rng)`.
    retry_on: "module:qualname" of exception classes, matched against the error's class and its bases; None means any.
    memory_restarts: after attempts that ran out of memory; None means 1 where the quota grows, else 0.
    """

    attempts: int = 1
    backoff: Backoff = field(default_factory=lambda: Backoff(immediate_first=False))
    retry_on: tuple[str, ...] | None = None
    memory_restarts: int | None = None


@dataclass(frozen=True, slots=True)
class MemoryGrowth:
    """How a quota grows with each attempt that ran out of memory.

    factor: what it is multiplied with each time; None adds the first quota once more. max_bytes: where growth ends.
    """

    factor: float | None = None
    max_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One node of the graph: a task at a place in a dag.

    name: unique in the graph. task: "module:qualname" of the task, importable in a worker. inputs: by parameter name.
    mapped: the parameter that takes one element of its input for each map index; None for a plain step.
    after: steps that must be terminal first and pass nothing. timeout_s: of one attempt. deadline_s: of all attempts
    of an instance, from when it could first have started. queue_timeout_s: from when it may start until it does.
    memory_bytes: quota on the process tree of the first attempt. cpus: what it counts for against those there are.
    affinity: it is held to CPUs of its own. allow_failure: its failure counts as a success for what comes after and for
    the run. critical: its failure fails the run, whatever comes after. cleanup: it runs once its upstreams are over,
    also when the run is being cancelled. why_not_importable: the reason no other process can import the task, ""
    if it can.
    """

    name: str
    task: str
    kind: TaskKind
    location: Location
    inputs: tuple[tuple[str, Input], ...] = ()
    mapped: str | None = None
    after: tuple[str, ...] = ()
    executor: str | None = None
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeout_s: float | None = None
    deadline_s: float | None = None
    queue_timeout_s: float | None = None
    memory_bytes: int | None = None
    memory_growth: MemoryGrowth | None = None
    cpus: float | None = None
    affinity: bool = False
    trigger_rule: TriggerRule = TriggerRule.all_success
    max_in_flight: int | None = None
    allow_failure: bool = False
    critical: bool = False
    cleanup: bool = False
    why_not_importable: str = ""

    def upstream(self) -> tuple[str, ...]:
        """Names of the steps this one waits for, each once, in order of first use."""
        found = [name for _, value in self.inputs for name in outputs_in(value)]
        return tuple(dict.fromkeys([*found, *self.after]))


@dataclass(frozen=True, slots=True, kw_only=True)
class ParamSpec:
    """One parameter of a dag. annotation: the resolved type, for parsing and help; `required` has no default."""

    name: str
    annotation: object
    required: bool
    default: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A pipeline as data: steps in topological order, each after all its upstreams; `result` is what a run returns.

    timeout_s, max_memory_bytes: of a run as a whole, unless it is told otherwise; None without limit. fail_fast: the
    first failure that counts ends the run, unless it is told otherwise.
    """

    name: str
    module: str
    location: Location
    params: tuple[ParamSpec, ...]
    steps: tuple[Step, ...]
    result: Input
    timeout_s: float | None = None
    max_memory_bytes: int | None = None
    fail_fast: bool = False

    def step(self, name: str) -> Step:
        """The step of that name; KeyError if there is none."""
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(name)


def outputs_in(value: Input) -> Iterator[str]:
    """Names of the steps whose outputs `value` needs, in order of use, repeats kept."""
    match value:
        case Output(step):
            yield step
        case ListOf(items):
            for item in items:
                yield from outputs_in(item)
        case DictOf(items):
            for _, item in items:
                yield from outputs_in(item)
        case Const() | Param():
            return
