"""Amounts added up as the SDK would."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from actorflow.telemetry.metric_pusher import DEFAULT_INTERVAL_MS, interval_s
from actorflow.telemetry.metric_sums import MetricSums
from actorflow.telemetry.metrics import METRICS, Amount, Metric, MetricKind
from actorflow.telemetry.sdk import Instruments

LABELS = [{"task": "a"}, {"task": "b"}, {"task": "a", "result": "success"}]
HISTOGRAMS = {metric.name for metric in METRICS if metric.kind is MetricKind.histogram}

Series = dict[tuple[str, str], tuple[object, ...]]


def amount(metric: Metric, much: int, labels: dict[str, str]) -> Amount:
    return Amount(metric, much, dict(labels))


amounts = st.lists(st.builds(amount, st.sampled_from(METRICS), st.integers(0, 1 << 40), st.sampled_from(LABELS)))


def by_the_sdk(given: list[Amount]) -> Series:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    Instruments(provider.get_meter("t")).add(given)
    data: Any = reader.get_metrics_data()  # its points are a union that says nothing
    found: Series = {}
    resources: Any = () if data is None else data.resource_metrics
    for resource in resources:
        for metric in (one for scope in resource.scope_metrics for one in scope.metrics):
            for point in metric.data.data_points:
                key = (str(metric.name), str(sorted(point.attributes.items())))
                if metric.name in HISTOGRAMS:
                    found[key] = (point.count, point.sum, point.min, point.max, list(point.bucket_counts))
                else:
                    found[key] = (point.value,)
    provider.shutdown()
    return found


@given(amounts)
def test_sums_are_what_the_instruments_of_the_sdk_would_say(given: list[Amount]) -> None:
    sums = MetricSums()
    sums.add(given)

    ours: Series = {}
    for metric, series in sums.read():
        for one in series:
            key = (metric.name, str(sorted(one.labels.items())))
            is_histogram = metric.kind is MetricKind.histogram
            ours[key] = (one.count, one.total, one.least, one.most, one.buckets) if is_histogram else (one.total,)

    assert ours == by_the_sdk(given)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("", DEFAULT_INTERVAL_MS / 1000), ("soon", DEFAULT_INTERVAL_MS / 1000), ("0", 60), ("500", 0.5)],
)
def test_the_interval_is_the_variables_or_a_minute(text: str, seconds: float) -> None:
    assert interval_s(text) == seconds
