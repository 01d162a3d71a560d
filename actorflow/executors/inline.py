"""The `inline` executor: one attempt at a time, in this thread, in topological order. For debuggers."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager

from actorflow.runs.executor import AttemptSpec, Capabilities, Outcome, RunSite
from actorflow.runs.output_capture import printing_of
from actorflow.runs.output_log import OutputLog
from actorflow.runs.task_call import call_async, call_sync


class InlineExecutor:
    """Calls the function where the run stands, so that `breakpoint()` works and no child process is made.

    A `def` blocks everything else while it runs: no timeout and no quota can be enforced.
    """

    name = "inline"
    slots = 1
    capabilities = Capabilities(stop=False, quota=False, announced=True)

    def __init__(self) -> None:
        self._functions: Mapping[str, Callable[..., object]] = {}
        self._output: OutputLog | None = None

    @asynccontextmanager
    async def opened(self, site: RunSite) -> AsyncGenerator[None]:
        self._functions = site.functions
        self._output = site.output
        yield

    async def execute(self, attempt: AttemptSpec) -> Outcome:
        function = self._functions[attempt.task]
        # Shown as ever, too: a debugger's prompt is a print without an end.
        with printing_of(self._output, attempt, shown=True):
            if inspect.iscoroutinefunction(function):
                return await call_async(function, attempt)
            return call_sync(function, attempt)

    def kill(self) -> None:
        """Nothing: a body that runs in this thread has the thread."""
