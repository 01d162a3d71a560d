"""An executor with the trace context of each attempt around its body; otherwise the executor that it holds."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from actorflow.runs.executor import AttemptSpec, Capabilities, Executor, Outcome, RunSite
from actorflow.telemetry.attempt_context import current, headers_of
from actorflow.telemetry.identity import SpanIds, TraceContext
from actorflow.telemetry.trace_fold import parent_for
from actorflow.telemetry.worker import AROUND


class TracedExecutor:
    """A body in this process finds the context current; one in a worker gets it by the headers of its attempt."""

    def __init__(self, inner: Executor, run_id: str, own: TraceContext) -> None:
        self._inner = inner
        self._ids = SpanIds(run_id)
        self._own = own

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def slots(self) -> int:
        return self._inner.slots

    @property
    def capabilities(self) -> Capabilities:
        return self._inner.capabilities

    def opened(self, site: RunSite) -> AbstractAsyncContextManager[None]:
        return self._inner.opened(replace(site, around=AROUND))

    async def execute(self, attempt: AttemptSpec) -> Outcome:
        span_id = parent_for(self._ids, attempt.step, attempt.map_index, attempt.number, attempt.width)
        context = TraceContext(self._own.trace_id, span_id, self._own.sampled, self._own.state)
        with current(context):
            return await self._inner.execute(replace(attempt, headers=headers_of(context)))

    def kill(self) -> None:
        self._inner.kill()
