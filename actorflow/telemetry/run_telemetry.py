"""The telemetry of one run: follows its records on the side and sends what they say. Imported only where it is on."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from opentelemetry.sdk.trace import TracerProvider

from actorflow.runs.events import AttemptFinished, Record, RunFinished, RunResumed, RunStarted
from actorflow.runs.executor import Executor
from actorflow.telemetry.attempt_context import from_environment
from actorflow.telemetry.choice import AnyTracerProvider, TelemetryRefused
from actorflow.telemetry.environment import BadVariable, destination
from actorflow.telemetry.follower import Follower
from actorflow.telemetry.identity import SpanIds
from actorflow.telemetry.joining import Began, Joined, join, read_joined, recorded
from actorflow.telemetry.metric_pusher import MetricPusher
from actorflow.telemetry.metric_sums import MetricSums
from actorflow.telemetry.metrics import Amount, MetricFold
from actorflow.telemetry.names import SCOPE
from actorflow.telemetry.outlets import Nowhere, Outlet, ThroughProvider, ToExporter
from actorflow.telemetry.readiness import Readiness
from actorflow.telemetry.sdk import (
    Instruments,
    current_context,
    metric_exporter,
    resource,
    set_up_meter_provider,
    set_up_tracer_provider,
    span_exporter,
)
from actorflow.telemetry.spans import SpanRecord
from actorflow.telemetry.trace_fold import TraceFold
from actorflow.telemetry.traced_executor import TracedExecutor
from actorflow.telemetry.user_spans import FLUSH_S, take_in_user_spans

MAX_QUEUED_RECORDS: Final = 100_000
GATHER_S: Final = 0.25
"""A thread that woke for every group would take its turns from the loop's, which has the same lock to wait for."""
MAX_WITH_VALUES: Final = 2_000
"""Records that may wait together with the values in them."""
OWN_PROVIDER: Final = "the tracer provider of this program"

logger = logging.getLogger("actorflow.telemetry")


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of a run's telemetry. missed_records: of the run's events, that it could not keep up with."""

    spans: int
    lost_spans: int
    missed_records: int
    problem: str

    @property
    def is_complete(self) -> bool:
        return not self.lost_spans and not self.missed_records

    def in_words(self, where: str) -> str:
        """`120 of 300 spans could not be delivered to http://...: connection refused`."""
        missed = f", {self.missed_records} events were missed" if self.missed_records else ""
        why = f": {self.problem}" if self.problem else ""
        return f"{self.lost_spans} of {self.spans} spans could not be delivered to {where}{missed}{why}"


class MetricSink(Protocol):
    """Where amounts are added up."""

    def add(self, amounts: Iterable[Amount]) -> None: ...


class RunTelemetry:
    """One run's. `begin` first, with its first event; `observe` every group of records; `close` after the last.

    where: what the spans are sent to, for people.
    """

    def __init__(
        self,
        outlet: Outlet,
        where: str,
        metrics: MetricSink | None,
        closers: Sequence[Callable[[], object]],
        *,
        began: Began = Began.awaited,
    ) -> None:
        self.where = where
        self._outlet = outlet
        self._metric_sink = metrics
        self._closers = closers
        self._began = began
        self._readiness = Readiness()
        self._trace = TraceFold()
        self._metrics = MetricFold()
        self._spans = 0
        self._life = 0
        self._to_send_again: list[SpanRecord] = []
        self.delivery: Delivery | None = None
        self._run_id = ""
        self._joined: Joined | None = None
        self._records: Follower[Record] = Follower(
            "actorflow telemetry", self._follow, max_queued=MAX_QUEUED_RECORDS, batch=5_000, gather_s=GATHER_S
        )

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits; "" before `begin`."""
        return "" if self._joined is None else f"{self._joined.own.trace_id:032x}"

    def begin(self, header: RunStarted) -> RunStarted:
        """The first event, with the run's place among the traces: below what is current here, or in TRACEPARENT."""
        incoming = current_context() or from_environment(os.environ)
        joined = join(header.run_id, incoming, self._began, sampled=True)
        if not self._outlet.is_sampled(joined, f"RUN {header.dag}"):
            joined = replace(joined, own=replace(joined.own, sampled=False))
        self._run_id, self._joined = header.run_id, joined
        return replace(header, trace=recorded(joined))

    def replay(self, record: Record) -> None:
        """Instead of `begin`, for a run that goes on: each record so far, from the first on, in one thread.

        Spans of a life whose owner was killed are sent again, with the same ids and content: the owner may not have
        got to it. Those of a life that had ended are not.
        """
        match record.event:
            case RunStarted() as header:
                self._run_id, self._joined = header.run_id, read_joined(header.run_id, header.trace)
            case RunFinished():
                self._to_send_again.clear()
            case RunResumed(taken_up=True):
                self._to_send_again.clear()
                self._life += 1
            case _:
                pass
        waited_since_s = self._readiness.apply(record)
        spans = self._trace.apply(record, waited_since_s)
        self._metrics.apply(record, waited_since_s)  # what was counted then is not counted again
        if not isinstance(record.event, RunFinished):
            self._to_send_again += spans

    def _resume(self) -> None:
        """The next life begins; its own first record comes with the others."""
        assert self._joined is not None
        self._emit(self._to_send_again)
        self._to_send_again = []
        self._life += 1

    def around(self, executors: Mapping[str, Executor]) -> Mapping[str, Executor]:
        """The executors, with the trace context of each attempt around its body."""
        assert self._joined is not None, "begin() comes first"
        if self._trace.has_begun:
            self._resume()
        own, ids = self._joined.own, SpanIds(self._run_id, self._life)
        return {name: TracedExecutor(executor, ids, own) for name, executor in executors.items()}

    def observe(self, records: Sequence[Record]) -> None:
        """Take a group in; returns at once. What tasks return is not held for long."""
        if self._records.queued > MAX_WITH_VALUES:
            records = [_without_value(record) for record in records]
        self._records.feed(records)

    def close(self) -> Delivery:
        """Send what there is; bounded in time, whoever does not answer. Blocks; call it off the loop.

        What could not be delivered is logged, and stands in `delivery`.
        """
        self._records.close()
        closing = [
            threading.Thread(target=closer, name="actorflow telemetry end", daemon=True) for closer in self._closers
        ]
        for thread in closing:
            thread.start()
        began_s = time.monotonic()
        self._outlet.close()
        for thread in closing:
            thread.join(max(FLUSH_S - (time.monotonic() - began_s), 0.0))
        self.delivery = delivery = Delivery(
            spans=self._spans,
            lost_spans=self._outlet.lost,
            missed_records=self._records.dropped + self._records.failed,
            problem=self._outlet.problem,
        )
        if not delivery.is_complete:
            logger.warning("%s", delivery.in_words(self.where))
        return delivery

    def _follow(self, records: list[Record]) -> None:
        spans: list[SpanRecord] = []
        amounts: list[Amount] = []
        for record in records:
            waited_since_s = self._readiness.apply(record)
            spans += self._trace.apply(record, waited_since_s)
            if self._metric_sink is not None:
                amounts += self._metrics.apply(record, waited_since_s)
        if self._metric_sink is not None:
            self._metric_sink.add(amounts)
        self._emit(spans)

    def _emit(self, spans: Sequence[SpanRecord]) -> None:
        joined = self._trace.joined
        if joined.own.sampled and spans:
            self._spans += len(spans)
            self._outlet.emit(spans, joined)


def open_telemetry(choice: bool | AnyTracerProvider = True, *, began: Began = Began.awaited) -> RunTelemetry:
    """Through the provider given, else the one that the program has set up, else as the OTEL_* variables say.

    Raises TelemetryRefused.
    """
    if not isinstance(choice, bool | TracerProvider):
        raise TelemetryRefused(
            f"telemetry takes True or a TracerProvider of opentelemetry.sdk.trace, not {type(choice).__name__}"
        )
    provider = choice if isinstance(choice, TracerProvider) else set_up_tracer_provider()
    if provider is None:
        return _by_environment(began)
    meters = set_up_meter_provider()
    instruments = None if meters is None else Instruments(meters.get_meter(SCOPE))
    return RunTelemetry(ThroughProvider(provider), OWN_PROVIDER, instruments, (), began=began)


def _by_environment(began: Began) -> RunTelemetry:
    try:
        where = destination("traces", os.environ)
        exporter = span_exporter(where)
        metrics_exporter = metric_exporter(destination("metrics", os.environ))
    except (BadVariable, LookupError) as exc:
        raise TelemetryRefused(str(exc)) from exc
    ours = take_in_user_spans()
    closers: list[Callable[[], object]] = [] if ours is None else [ours.flush]
    sums = None if metrics_exporter is None else MetricSums()
    if sums is not None and metrics_exporter is not None:
        closers.append(MetricPusher(sums, metrics_exporter, resource()).close)
    return RunTelemetry(
        Nowhere() if exporter is None else ToExporter(exporter),
        where.where,
        sums,
        closers,
        began=began,
    )


def _without_value(record: Record) -> Record:
    event = record.event
    if isinstance(event, AttemptFinished) and event.value is not None:
        return Record(record.seq, record.ts, replace(event, value=None))
    return record
