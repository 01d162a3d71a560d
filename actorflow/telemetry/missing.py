"""Is OpenTelemetry there? Asked without importing it."""

from __future__ import annotations

from importlib.util import find_spec

from actorflow.actors.errors import ActorflowError

HELP = "pip install 'actorflow[otel]'"
_NEEDED = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


class TelemetryMissing(ActorflowError):
    """Telemetry was asked for, and OpenTelemetry is not installed."""

    def __init__(self) -> None:
        super().__init__(f"telemetry needs the OpenTelemetry SDK, which is not installed: {HELP}")


def require_opentelemetry() -> None:
    """Raises TelemetryMissing."""
    if not all(_is_there(name) for name in _NEEDED):
        raise TelemetryMissing


def _is_there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ImportError:  # a package above it is missing
        return False
