"""Pushes a run's sums to an OTLP exporter: every OTEL_METRIC_EXPORT_INTERVAL milliseconds, and at the end."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from typing import Final, Protocol

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from actorflow.telemetry import metrics
from actorflow.telemetry.metric_sums import MetricSums
from actorflow.telemetry.metric_sums import Sum as RunSum
from actorflow.telemetry.names import SCOPE
from actorflow.version import VERSION

DEFAULT_INTERVAL_MS: Final = 60_000.0
_SCOPE: Final = InstrumentationScope(SCOPE, VERSION)


class Exporter(Protocol):
    """What is needed of a MetricExporter."""

    def export(self, metrics_data: MetricsData, /) -> object: ...
    def shutdown(self) -> object: ...


class MetricPusher:
    """Sums since `started_ns`, cumulative."""

    def __init__(self, sums: MetricSums, exporter: Exporter, resource: Resource) -> None:
        self._sums = sums
        self._exporter = exporter
        self._resource = resource
        self._started_ns = time.time_ns()
        self._interval_s = interval_s(os.environ.get("OTEL_METRIC_EXPORT_INTERVAL", ""))
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="actorflow metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Push the last time. Blocks for as long as the exporter does; call it in a thread that nobody waits for."""
        self._closing.set()
        self._thread.join()
        self._push()
        self._exporter.shutdown()

    def _run(self) -> None:
        # OTLP metrics are pushed at intervals: a backend draws the course of a run from them.
        while not self._closing.wait(self._interval_s):
            self._push()

    def _push(self) -> None:
        now_ns = time.time_ns()
        made = [self._metric(metric, sums, now_ns) for metric, sums in self._sums.read()]
        if made:
            scope = ScopeMetrics(_SCOPE, made, "")
            self._exporter.export(MetricsData([ResourceMetrics(self._resource, [scope], "")]))

    def _metric(self, metric: metrics.Metric, sums: Sequence[RunSum], now_ns: int) -> Metric:
        if metric.kind is metrics.MetricKind.histogram:
            points = [self._histogram_point(metric, one, now_ns) for one in sums]
            data: Histogram | Sum = Histogram(points, AggregationTemporality.CUMULATIVE)
        else:
            monotonic = metric.kind is metrics.MetricKind.counter
            numbers = [NumberDataPoint(one.labels, self._started_ns, now_ns, int(one.total)) for one in sums]
            data = Sum(numbers, AggregationTemporality.CUMULATIVE, monotonic)
        return Metric(metric.name, metric.description, metric.unit, data)

    def _histogram_point(self, metric: metrics.Metric, one: RunSum, now_ns: int) -> HistogramDataPoint:
        return HistogramDataPoint(
            attributes=one.labels,
            start_time_unix_nano=self._started_ns,
            time_unix_nano=now_ns,
            count=one.count,
            sum=one.total,
            bucket_counts=one.buckets,
            explicit_bounds=metric.bounds,
            min=one.least,
            max=one.most,
        )


def interval_s(milliseconds: str) -> float:
    """Of the variable's text; the default where it is no number above 0."""
    try:
        given = float(milliseconds)
    except ValueError:
        given = 0.0
    return (given if given > 0 else DEFAULT_INTERVAL_MS) / 1000
