"""The `async` executor: `async def` tasks on the run's own loop, many at once."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import cast

from actorflow.executors.blocked import named_when_blocking
from actorflow.runs.executor import AttemptSpec, Capabilities, Outcome, RunSite
from actorflow.runs.output_capture import printing_of
from actorflow.runs.output_log import OutputLog
from actorflow.runs.task_call import call_async
from actorflow.runs.time_limit import within_timeout

DEFAULT_SLOTS = 256
"""Enough to hide the latency of I/O, few enough for a default limit on open files."""


class EventLoopExecutor:
    """Awaits the coroutine in its attempt's own task, so cancelling the attempt cancels it."""

    name = "async"
    capabilities = Capabilities(stop=True, quota=False, announced=False)

    def __init__(self, slots: int = DEFAULT_SLOTS) -> None:
        self.slots = slots
        self._functions: Mapping[str, Callable[..., object]] = {}
        self._output: OutputLog | None = None

    @asynccontextmanager
    async def opened(self, site: RunSite) -> AsyncGenerator[None]:
        self._functions = site.functions
        self._output = site.output
        with named_when_blocking(site.output, call_async, on_loop=True):
            yield

    async def execute(self, attempt: AttemptSpec) -> Outcome:
        # The plan gives this executor coroutine functions only.
        function = cast("Callable[..., Awaitable[object]]", self._functions[attempt.task])
        with printing_of(self._output, attempt):
            return await within_timeout(attempt, partial(call_async, function, attempt))

    def kill(self) -> None:
        """Nothing: cancelling is all that a loop offers, and the run has done that."""
