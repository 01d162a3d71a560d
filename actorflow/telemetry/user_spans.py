"""Where the spans of user code go: to the provider that the user set up, else to one of ours, made at its first use.

Importing the SDK and an exporter takes longer than most attempts: a worker whose tasks make no spans never does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from importlib import import_module
from typing import Final

from opentelemetry import trace
from opentelemetry.trace import ProxyTracerProvider, Tracer, TracerProvider
from opentelemetry.util.types import Attributes

FLUSH_S: Final = 1.0
"""Seconds that a process waits at its end for the spans of its user to be sent."""

_MAKER: Final = "actorflow.telemetry.user_provider"


class LateProvider(TracerProvider):
    """Sets the SDK up by the OTEL_* variables when the first tracer is asked for."""

    def __init__(self) -> None:
        self._made: TracerProvider | None = None
        self._lock = threading.Lock()

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes | None = None,
    ) -> Tracer:
        with self._lock:
            made: TracerProvider = self._made or import_module(_MAKER).make()
            self._made = made
        return made.get_tracer(instrumenting_module_name, instrumenting_library_version, schema_url, attributes)

    def flush(self, limit_s: float = FLUSH_S) -> bool:
        """Send what has ended; False if that took longer, or could not be done."""
        flush: Callable[[], bool] | None = getattr(self._made, "force_flush", None)
        return flush is None or within(flush, limit_s)


_ours: LateProvider | None = None


def take_in_user_spans() -> LateProvider | None:
    """Have the spans of this process, unless its user has set a provider up: None then."""
    global _ours  # noqa: PLW0603 - OpenTelemetry's own provider is one a process, too
    if not is_set_by_user():
        if _ours is None:
            _ours = LateProvider()
            trace.set_tracer_provider(_ours)
        return _ours
    return None


def is_set_by_user() -> bool:
    """True if somebody else than us has set this process's tracer provider."""
    found = trace.get_tracer_provider()
    return not isinstance(found, ProxyTracerProvider | LateProvider)


def within(call: Callable[[], object], limit_s: float) -> bool:
    """Call it in a thread, and wait no longer than that, for an exporter may hang. True if it came back."""
    thread = threading.Thread(target=call, name="actorflow telemetry flush", daemon=True)
    thread.start()
    thread.join(limit_s)
    return not thread.is_alive()
