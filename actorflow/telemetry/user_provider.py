"""The tracer provider of user spans where the user has set none: by the OTEL_* variables, whole fragments only."""

from __future__ import annotations

import logging
import os

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from actorflow.telemetry.environment import BadVariable, destination
from actorflow.telemetry.sdk import resource, span_exporter
from actorflow.telemetry.whole_fragments import WholeFragments

logger = logging.getLogger("actorflow.telemetry")


def make() -> TracerProvider:
    """A provider; one that exports nothing where the variables name what there is not, which is logged."""
    provider = TracerProvider(resource=resource(), shutdown_on_exit=False)
    try:
        exporter = span_exporter(destination("traces", os.environ))
    except (BadVariable, LookupError) as exc:
        logger.warning("spans of tasks go nowhere: %s", exc)
        return provider
    if exporter is not None:
        provider.add_span_processor(WholeFragments(BatchSpanProcessor(exporter)))
    return provider
