"""Whether a run has telemetry, and through what; asked without importing OpenTelemetry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Protocol

from actorflow.actors.errors import ActorflowError
from actorflow.runs.events import Record, RunStarted
from actorflow.runs.executor import Executor

HELP = "pip install 'actorflow[otel]'"
_NEEDED = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


class TelemetryError(ActorflowError):
    """A run cannot have the telemetry that was asked for."""


class TelemetryMissing(TelemetryError):
    """Telemetry was asked for, and OpenTelemetry is not installed."""

    def __init__(self) -> None:
        super().__init__(f"telemetry needs the OpenTelemetry SDK, which is not installed: {HELP}")


class TelemetryRefused(TelemetryError):
    """Telemetry was asked for in a way that there is not: by an OTEL_* variable, or by what is no tracer provider."""


class AnyTracerProvider(Protocol):
    """A TracerProvider of the OpenTelemetry SDK."""

    def get_tracer(self, instrumenting_module_name: str, /) -> object: ...


class Watch(Protocol):
    """What hangs on a run from its first event to its last.

    begin: may add to the first event. replay: instead of it, for a run that goes on, with each of its records so far.
    around: may wrap the executors. observe: hears every group of records once it is on disk, in the loop, and returns
    at once. close: after the last; off the loop, bounded in time.
    """

    def begin(self, header: RunStarted) -> RunStarted: ...
    def replay(self, record: Record) -> None: ...
    def around(self, executors: Mapping[str, Executor]) -> Mapping[str, Executor]: ...
    def observe(self, records: Sequence[Record]) -> None: ...
    def close(self) -> object: ...


def require_opentelemetry() -> None:
    """Raises TelemetryMissing."""
    if not all(_is_there(name) for name in _NEEDED):
        raise TelemetryMissing


def _is_there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ImportError:  # a package above it is missing
        return False
