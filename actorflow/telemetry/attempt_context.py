"""The trace context of an attempt: current while its body runs, here or in a worker, and told to what it starts."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState

from actorflow.telemetry.identity import TraceContext, read_traceparent

TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"


def headers_of(context: TraceContext) -> dict[str, str]:
    """What an attempt is told, in the words of W3C Trace Context."""
    found = {TRACEPARENT: context.traceparent}
    if context.state:
        found[TRACESTATE] = context.state
    return found


def context_of(headers: Mapping[str, str]) -> TraceContext | None:
    """What `headers_of` told, or an environment does; None where there is nothing, or nothing well formed."""
    return read_traceparent(headers.get(TRACEPARENT, ""), headers.get(TRACESTATE, ""))


def from_environment(environment: Mapping[str, str]) -> TraceContext | None:
    """Of TRACEPARENT and TRACESTATE, as the program that started this one set them."""
    return context_of({name: environment.get(name.upper(), "") for name in (TRACEPARENT, TRACESTATE)})


def span_context(context: TraceContext) -> SpanContext:
    """As a span that lives elsewhere."""
    state = TraceState.from_header([context.state]) if context.state else None
    return SpanContext(context.trace_id, context.span_id, True, TraceFlags(int(context.sampled)), state)


def around_span(context: TraceContext) -> Context:
    """The current OpenTelemetry context, with that span as the current one."""
    return trace.set_span_in_context(NonRecordingSpan(span_context(context)))


@contextmanager
def current(context: TraceContext) -> Generator[None]:
    """Spans that are started inside nest inside that one."""
    token = attach(around_span(context))
    try:
        yield
    finally:
        detach(token)


@contextmanager
def told_to_children(context: TraceContext) -> Generator[None]:
    """Programs that are started inside find it in their environment. For a process with one attempt at a time."""
    before = {name: os.environ.get(name.upper()) for name in (TRACEPARENT, TRACESTATE)}
    os.environ.update({name.upper(): text for name, text in headers_of(context).items()})
    try:
        yield
    finally:
        for name, text in before.items():
            if text is None:
                os.environ.pop(name.upper(), None)
            else:
                os.environ[name.upper()] = text
