"""Outlets: where a run's spans go. To an exporter of our own, or through a provider that the program has set up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from actorflow.telemetry.complaints import heard_complaints
from actorflow.telemetry.follower import Follower
from actorflow.telemetry.joining import Joined
from actorflow.telemetry.sdk import Given, is_sampled, readable, resource
from actorflow.telemetry.spans import SpanRecord

MAX_QUEUED_SPANS: Final = 50_000
BATCH: Final = 512
GATHER_S: Final = 1.0

Sent = tuple[SpanRecord, Joined]


class Outlet(Protocol):
    """`emit` is called in one thread and returns at once. lost, problem: of what could not be delivered, and why."""

    @property
    def lost(self) -> int: ...
    @property
    def problem(self) -> str: ...
    def is_sampled(self, joined: Joined, name: str) -> bool: ...
    def emit(self, spans: Sequence[SpanRecord], joined: Joined) -> None: ...
    def close(self) -> None: ...


class ThroughProvider:
    """Through the processors of a provider; what becomes of the spans there is its owner's business."""

    lost = 0
    problem = ""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._given = Given(provider)

    def is_sampled(self, joined: Joined, name: str) -> bool:
        return is_sampled(self._provider, joined, name)

    def emit(self, spans: Sequence[SpanRecord], joined: Joined) -> None:
        for span in spans:
            self._given.emit(span, joined)

    def close(self) -> None:
        """Its owner flushes it."""


class ToExporter:
    """To an exporter that this run has for itself, in batches, from a thread that nobody waits for."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._resource = resource()
        self._refused = 0
        self._complaints = heard_complaints()
        self._follower: Follower[Sent] = Follower(
            "actorflow spans", self._export, max_queued=MAX_QUEUED_SPANS, batch=BATCH, gather_s=GATHER_S
        )

    @property
    def lost(self) -> int:
        return self._refused + self._follower.dropped + self._follower.failed

    @property
    def problem(self) -> str:
        return self._complaints.reason

    def is_sampled(self, joined: Joined, name: str) -> bool:
        return is_sampled(TracerProvider(resource=self._resource, shutdown_on_exit=False), joined, name)

    def emit(self, spans: Sequence[SpanRecord], joined: Joined) -> None:
        self._follower.feed([(span, joined) for span in spans])

    def close(self) -> None:
        if self._follower.close():
            self._exporter.shutdown()

    def _export(self, sent: list[Sent]) -> None:
        result = self._exporter.export([readable(span, joined, self._resource) for span, joined in sent])
        if result is not SpanExportResult.SUCCESS:
            self._refused += len(sent)


class Nowhere:
    """For OTEL_TRACES_EXPORTER=none; contexts are handed on all the same."""

    lost = 0
    problem = ""

    def is_sampled(self, joined: Joined, name: str) -> bool:
        return joined.own.sampled

    def emit(self, spans: Sequence[SpanRecord], joined: Joined) -> None:
        """Nobody wants them."""

    def close(self) -> None:
        """Nothing is held."""
