"""An executor with the trace context of each attempt around its body; otherwise the executor that it holds."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from opentelemetry.context import Context, attach, detach

from actorflow.runs.executor import AttemptSpec, Capabilities, Executor, Outcome, RunSite
from actorflow.telemetry.attempt_context import around_span, headers_of
from actorflow.telemetry.identity import SpanIds, TraceContext
from actorflow.telemetry.map_sample import MAP_LIMITS
from actorflow.telemetry.trace_fold import parent_for
from actorflow.telemetry.worker import AROUND

_HERE = frozenset({"async", "inline", "thread"})
"""Executors whose bodies run in this process: they find the context current, and read no headers."""


class TracedExecutor:
    """A body in this process finds the context current; one in a worker gets it by the headers of its attempt."""

    def __init__(self, inner: Executor, ids: SpanIds, own: TraceContext) -> None:
        self._inner = inner
        self._ids = ids
        self._own = own
        self._told = inner.name not in _HERE
        self._of_wide_maps: dict[str, tuple[TraceContext, Context]] = {}

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
        context, around = self._context(attempt)
        if self._told:
            attempt = replace(attempt, headers=headers_of(context))
        token = attach(around)
        try:
            return await self._inner.execute(attempt)
        finally:
            detach(token)

    def kill(self) -> None:
        self._inner.kill()

    def _context(self, attempt: AttemptSpec) -> tuple[TraceContext, Context]:
        """As values and as OpenTelemetry's; made once for the many instances of a wide map, which share it."""
        if not MAP_LIMITS.is_wide(attempt.width):
            return self._made(attempt)
        found = self._of_wide_maps.get(attempt.step)
        if found is None:
            found = self._of_wide_maps[attempt.step] = self._made(attempt)
        return found

    def _made(self, attempt: AttemptSpec) -> tuple[TraceContext, Context]:
        span_id = parent_for(self._ids, attempt.step, attempt.map_index, attempt.number, attempt.width)
        context = TraceContext(self._own.trace_id, span_id, self._own.sampled, self._own.state)
        return context, around_span(context)
