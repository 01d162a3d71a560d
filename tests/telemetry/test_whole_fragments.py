"""A user's spans leave together with the outermost of them."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NonRecordingSpan, Tracer, set_span_in_context

from actorflow.telemetry.attempt_context import span_context
from actorflow.telemetry.identity import TraceContext
from actorflow.telemetry.whole_fragments import WholeFragments

ATTEMPT = set_span_in_context(NonRecordingSpan(span_context(TraceContext(7, 8))))


def fragments(max_held: int = 100) -> tuple[Tracer, InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(WholeFragments(SimpleSpanProcessor(exporter), max_held=max_held))
    return provider.get_tracer("t"), exporter


def sent(exporter: InMemorySpanExporter) -> list[str]:
    return [span.name for span in exporter.get_finished_spans()]


def test_a_child_waits_for_the_outermost_span_of_its_attempt() -> None:
    tracer, exporter = fragments()
    outer = tracer.start_span("outer", ATTEMPT)
    inside = set_span_in_context(outer)
    tracer.start_span("first", inside).end()
    middle = tracer.start_span("middle", inside)
    tracer.start_span("innermost", set_span_in_context(middle)).end()
    middle.end()
    assert sent(exporter) == []

    outer.end()

    assert sorted(sent(exporter)) == ["first", "innermost", "middle", "outer"]


def test_fragments_do_not_wait_for_each_other() -> None:
    tracer, exporter = fragments()
    tracer.start_span("goes on", ATTEMPT)

    tracer.start_span("over", ATTEMPT).end()

    assert sent(exporter) == ["over"]


def test_a_child_that_outlives_the_outermost_span_leaves_when_it_ends() -> None:
    tracer, exporter = fragments()
    outer = tracer.start_span("outer", ATTEMPT)
    late = tracer.start_span("late", set_span_in_context(outer))
    outer.end()

    late.end()

    assert sent(exporter) == ["outer", "late"]


def test_a_root_of_its_own_trace_is_outermost() -> None:
    tracer, exporter = fragments()

    tracer.start_span("root", set_span_in_context(trace.INVALID_SPAN)).end()

    assert sent(exporter) == ["root"]


def test_too_many_held_spans_go_ahead() -> None:
    tracer, exporter = fragments(max_held=3)
    outer = tracer.start_span("outer", ATTEMPT)

    for number in range(4):
        tracer.start_span(f"child {number}", set_span_in_context(outer)).end()

    assert sent(exporter) == ["child 0", "child 1", "child 2"]
    outer.end()
    assert len(sent(exporter)) == 5
