"""The `thread` executor: `def` tasks in threads of this process, for blocking I/O."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial

import anyio
from anyio import to_thread

from actorflow.executors.blocked import named_when_blocking
from actorflow.runs.executor import AttemptSpec, Capabilities, Outcome, RunSite
from actorflow.runs.output_capture import printing_of
from actorflow.runs.output_log import OutputLog
from actorflow.runs.task_call import call_sync


class ThreadExecutor:
    """Calls the function in a worker thread.

    A thread cannot be stopped: a cancelled attempt is abandoned and what it returns is refused, so `validate` refuses
    timeouts and quotas here.
    """

    name = "thread"
    capabilities = Capabilities(stop=False, quota=False, announced=False)

    def __init__(self, slots: int | None = None) -> None:
        self.slots = slots if slots is not None else min(32, (os.cpu_count() or 1) + 4)
        self._functions: Mapping[str, Callable[..., object]] = {}
        self._output: OutputLog | None = None
        self._limiter: anyio.CapacityLimiter | None = None

    @asynccontextmanager
    async def opened(self, site: RunSite) -> AsyncGenerator[None]:
        self._functions = site.functions
        self._output = site.output
        self._limiter = anyio.CapacityLimiter(self.slots)
        with named_when_blocking(site.output, call_sync, on_loop=False):
            yield

    async def execute(self, attempt: AttemptSpec) -> Outcome:
        call = partial(call_sync, self._functions[attempt.task], attempt)
        with printing_of(self._output, attempt):
            return await to_thread.run_sync(call, abandon_on_cancel=True, limiter=self._limiter)

    def kill(self) -> None:
        """Nothing: a thread cannot be ended."""
