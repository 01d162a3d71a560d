"""The executor seam: what a run asks of the place where attempts execute. Floor 4 implements it, one file each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from actorflow.hot_value import hot_value_by_name
from actorflow.runs.values import Value

if TYPE_CHECKING:  # whoever only knows of attempts needs nothing of that
    from actorflow.runs.output_log import OutputLog


class AttemptState(StrEnum):
    """How one execution ended."""

    succeeded = "succeeded"
    failed = "failed"
    cancelled = "cancelled"


class Cause(StrEnum):
    """Why a task is in its state; a closed list, "unknown" would be a bug of ours."""

    ran = "ran"
    error = "error"
    timed_out = "timed_out"
    out_of_memory = "out_of_memory"
    lost = "lost"
    bad_output = "bad_output"
    bad_input = "bad_input"
    cancelled = "cancelled"
    upstream = "upstream"
    condition = "condition"
    selected_out = "selected_out"
    reused = "reused"


@dataclass(frozen=True, slots=True)
class Frame:
    """One line of a traceback. ours: True for frames of actorflow and of the libraries it stands on."""

    file: str
    line: int
    function: str
    source: str
    ours: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRecord:
    """A failure as plain data, the same from this process and from a worker.

    type: "module:qualname" of the exception, or of the cause where there was none. bases: the names of its class and
    all base classes, for `retry_on`. traceback: the full text. frames: outermost first.
    """

    type: str
    message: str
    bases: tuple[str, ...] = ()
    traceback: str = ""
    frames: tuple[Frame, ...] = ()


@hot_value_by_name
class AttemptSpec:
    """One execution of one task instance, serialisable: names and values only.

    map_index: None for a plain step. number: from 1. task: "module:qualname". arguments: by parameter name.
    width: how many instances a mapped step has. headers: what the body is to know of who asked, such as a trace.
    queue_timeout_s: how long it might wait for its turn; queue_left_s: what is left of that. cpu_ids: the CPUs that it
    is held to; () for any.
    """

    run_id: str
    step: str
    map_index: int | None
    number: int
    task: str
    arguments: Mapping[str, Value]
    timeout_s: float | None = None
    memory_bytes: int | None = None
    width: int | None = None
    headers: Mapping[str, str] | None = None
    queue_timeout_s: float | None = None
    queue_left_s: float | None = None
    cpu_ids: tuple[int, ...] = ()

    @property
    def label(self) -> str:
        """`census[7]`, or `census` for a plain step."""
        return self.step if self.map_index is None else f"{self.step}[{self.map_index}]"


@hot_value_by_name
class Outcome:
    """How an attempt ended.

    value: set exactly when it succeeded. worker: where it ran, "" in this process. started_at: epoch seconds of when
    the body could begin, where that was later than the attempt. took_s: what the body took, where that is known.
    """

    state: AttemptState
    cause: Cause
    value: Value | None = None
    error: ErrorRecord | None = None
    worker: str = ""
    peak_rss_bytes: int | None = None
    cpu_s: float | None = None
    started_at: float | None = None
    took_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What an executor can do; `validate` refuses a step that asks for more.

    stop: a running attempt can really be ended, so timeouts hold. quota: memory of one attempt is limited.
    announced: the start of an attempt must be on disk, and told, before its body begins: because the body leaves this
    process, or because it holds up the loop that would tell. ahead: how many more than its slots it takes of attempts
    that take little time, so that the next ones are at hand.
    """

    stop: bool
    quota: bool
    announced: bool
    ahead: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSite:
    """What a run tells its executors when they open.

    module: canonical name of the user's module. file: its path, for workers on this machine. spawn: starts a
    supervised actor below the run's `workers` supervisor (the signature is `Context.spawn`'s).
    functions: the plain functions behind "module:qualname" task names, for executors in this process.
    output: where what tasks print goes; None: to this process's standard error.
    around: "module:function" that a worker process calls once it is up; what it returns is called with the headers of
    each attempt and is entered around its body. None: nothing is.
    """

    run_id: str
    module: str
    file: str
    spawn: Callable[..., object]
    functions: Mapping[str, Callable[..., object]] = field(default_factory=dict[str, Callable[..., object]])
    output: OutputLog | None = None
    around: str | None = None


class Executor(Protocol):
    """Runs attempts.

    `opened(site)` holds the executor's resources for one run. `execute` returns an Outcome for every way an attempt
    can end and raises nothing of the user's; cancelling it ends the attempt, and it returns to the caller only after
    nothing of that attempt runs any more (where `capabilities.stop`).
    slots: how many attempts it takes at once. kill: ends what runs without grace, as far as `stop` goes; callable at
    any time, and each attempt is still reported.
    """

    @property
    def name(self) -> str: ...
    @property
    def slots(self) -> int: ...
    @property
    def capabilities(self) -> Capabilities: ...
    def opened(self, site: RunSite) -> AbstractAsyncContextManager[None]: ...
    async def execute(self, attempt: AttemptSpec) -> Outcome: ...
    def kill(self) -> None: ...
