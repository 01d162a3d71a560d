"""The OpenTelemetry SDK: our records in its terms, and its parts as the environment asks for them.

Imported only where telemetry is on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import entry_points
from typing import Final, cast

from opentelemetry import metrics, trace
from opentelemetry.metrics import Counter, Histogram, Meter, UpDownCounter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Attributes, Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, Tracer, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)

from actorflow.telemetry.attempt_context import span_context
from actorflow.telemetry.environment import Destination
from actorflow.telemetry.identity import TraceContext
from actorflow.telemetry.joining import Joined
from actorflow.telemetry.metrics import METRICS, Amount, Metric, MetricKind
from actorflow.telemetry.names import SCOPE
from actorflow.telemetry.spans import Kind, SpanRecord
from actorflow.version import VERSION

_KINDS: Final = {Kind.internal: SpanKind.INTERNAL, Kind.server: SpanKind.SERVER}
_SCOPE: Final = InstrumentationScope(SCOPE, VERSION)


def current_context() -> TraceContext | None:
    """The span that is current in this program, if there is one."""
    found = trace.get_current_span().get_span_context()
    if not found.is_valid:
        return None
    return TraceContext(found.trace_id, found.span_id, found.trace_flags.sampled, found.trace_state.to_header())


def resource() -> Resource:
    """Of OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME; the service is actorflow where neither names one."""
    found = Resource.create()
    if str(found.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        found = found.merge(Resource({SERVICE_NAME: SCOPE}))
    return _HashedOnce(found.attributes, found.schema_url)


class _HashedOnce(Resource):
    """Exporters look up the resource of each span, and the SDK writes it out as JSON each time to hash it."""

    def __init__(self, attributes: Attributes, schema_url: str | None = None) -> None:
        super().__init__(attributes, schema_url)
        self._hash = super().__hash__()

    def __hash__(self) -> int:
        return self._hash


def is_sampled(provider: TracerProvider, joined: Joined, name: str) -> bool:
    """What the provider's sampler says of the run; all its spans share the answer."""
    parent = joined.parent
    around = None if parent is None else trace.set_span_in_context(NonRecordingSpan(span_context(parent)))
    result = provider.sampler.should_sample(around, joined.own.trace_id, name, SpanKind.SERVER)
    return result.decision is not Decision.DROP


def readable(span: SpanRecord, joined: Joined, of: Resource) -> ReadableSpan:
    """The span as exporters take it."""
    own = joined.own
    parent = joined.parent if span.span_id == own.span_id else None
    parent_id = span.parent_id
    return ReadableSpan(
        name=span.name,
        context=_within(own, span.span_id),
        parent=span_context(parent) if parent is not None else None if parent_id is None else _within(own, parent_id),
        resource=of,
        attributes=span.attributes,
        events=[Event(event.name, event.attributes, nanoseconds(event.at_s)) for event in span.events],
        links=_links(span, own),
        kind=_KINDS[span.kind],
        status=_status(span),
        start_time=nanoseconds(span.started_s),
        end_time=nanoseconds(span.ended_s),
        instrumentation_scope=_SCOPE,
    )


class Given:
    """Emits through a provider that the program around us has set up: its processors, its limits, its exporters."""

    def __init__(self, provider: TracerProvider) -> None:
        self._ids = _Ids()
        self._tracer = cast(Tracer, provider.get_tracer(SCOPE, VERSION))
        self._tracer.id_generator = self._ids

    def emit(self, span: SpanRecord, joined: Joined) -> None:
        self._ids.trace_id, self._ids.span_id = joined.own.trace_id, span.span_id
        parent = joined.parent if span.span_id == joined.own.span_id else None
        context = span_context(parent) if parent is not None else None
        if context is None and span.parent_id is not None:
            context = _within(joined.own, span.parent_id)
        around = trace.set_span_in_context(trace.INVALID_SPAN if context is None else NonRecordingSpan(context))
        started = self._tracer.start_span(
            span.name,
            around,
            _KINDS[span.kind],
            span.attributes,
            _links(span, joined.own),
            nanoseconds(span.started_s),
        )
        for event in span.events:
            started.add_event(event.name, event.attributes, nanoseconds(event.at_s))
        if span.status is not None:
            started.set_status(_status(span))
        started.end(nanoseconds(span.ended_s))


class _Ids(IdGenerator):
    """The ids of the span that is about to be started."""

    trace_id = 1
    span_id = 1

    def generate_span_id(self) -> int:
        return self.span_id

    def generate_trace_id(self) -> int:
        return self.trace_id


class Instruments:
    """The metrics of runs in the meter of a provider that the program has set up."""

    def __init__(self, meter: Meter) -> None:
        self._record: dict[str, Callable[[float, Mapping[str, str]], None]] = {
            metric.name: _recorder(meter, metric) for metric in METRICS
        }

    def add(self, amounts: Iterable[Amount]) -> None:
        for amount in amounts:
            self._record[amount.metric.name](amount.amount, amount.attributes)


def _recorder(meter: Meter, metric: Metric) -> Callable[[float, Mapping[str, str]], None]:
    match metric.kind:
        case MetricKind.counter:
            instrument: Counter | UpDownCounter = meter.create_counter(metric.name, metric.unit, metric.description)
            return instrument.add
        case MetricKind.up_down:
            instrument = meter.create_up_down_counter(metric.name, metric.unit, metric.description)
            return instrument.add
        case MetricKind.histogram:
            histogram: Histogram = meter.create_histogram(
                metric.name, metric.unit, metric.description, explicit_bucket_boundaries_advisory=metric.bounds
            )
            return histogram.record


def span_exporter(where: Destination) -> SpanExporter | None:
    """The exporter of that name, set up from its variables. Raises LookupError where none is installed."""
    made = _exporter("opentelemetry_traces_exporter", where)
    return cast("SpanExporter | None", made)


def metric_exporter(where: Destination) -> MetricExporter | None:
    """As above, for metrics."""
    return cast("MetricExporter | None", _exporter("opentelemetry_metrics_exporter", where))


def _exporter(group: str, where: Destination) -> object | None:
    if where.entry_point is None:
        return None
    found = list(entry_points(group=group, name=where.entry_point))
    if not found:
        raise LookupError(f"no exporter `{where.entry_point}` is installed")
    return cast("Callable[[], object]", found[0].load())()


def set_up_tracer_provider() -> TracerProvider | None:
    """The provider that somebody set; None where nobody has."""
    found = trace.get_tracer_provider()
    return found if isinstance(found, TracerProvider) else None


def set_up_meter_provider() -> metrics.MeterProvider | None:
    """As above, for metrics."""
    found = metrics.get_meter_provider()
    return found if isinstance(found, MeterProvider) else None


def nanoseconds(epoch_s: float) -> int:
    return int(epoch_s * 1e9)


def _within(own: TraceContext, span_id: int) -> SpanContext:
    state = TraceState.from_header([own.state]) if own.state else None
    return SpanContext(own.trace_id, span_id, False, TraceFlags(int(own.sampled)), state)


def _links(span: SpanRecord, own: TraceContext) -> list[Link]:
    return [
        Link(
            SpanContext(link.trace_id or own.trace_id, link.span_id, link.trace_id is not None, TraceFlags(1)),
            link.attributes,
        )
        for link in span.links
    ]


def _status(span: SpanRecord) -> Status:
    return Status() if span.status is None else Status(StatusCode.ERROR, span.status.description)
