"""What the standard variables ask for."""

from __future__ import annotations

import pytest

from actorflow.telemetry.environment import BadVariable, destination


@pytest.mark.parametrize(
    ("environment", "entry_point", "where"),
    [
        ({}, "otlp_proto_http", "http://localhost:4318 (http/protobuf)"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "otlp_proto_grpc", "http://localhost:4317 (grpc)"),
        (
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"},
            "otlp_proto_http",
            "http://localhost:4318 (http/protobuf)",
        ),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1"}, "otlp_proto_http", "http://c:1 (http/protobuf)"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t:2/x"},
            "otlp_proto_http",
            "http://t:2/x (http/protobuf)",
        ),
        ({"OTEL_TRACES_EXPORTER": "none"}, None, "nowhere (OTEL_TRACES_EXPORTER=none)"),
        ({"OTEL_TRACES_EXPORTER": "console"}, "console", "console"),
        ({"OTEL_SDK_DISABLED": "true"}, None, "nowhere (OTEL_SDK_DISABLED)"),
    ],
    ids=str,
)
def test_where_spans_go(environment: dict[str, str], entry_point: str | None, where: str) -> None:
    found = destination("traces", environment)

    assert (found.entry_point, found.where) == (entry_point, where)


def test_metrics_have_variables_of_their_own() -> None:
    environment = {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://m:3"}

    assert destination("metrics", environment).where == "http://m:3 (http/protobuf)"


def test_a_protocol_that_there_is_not_is_refused() -> None:
    with pytest.raises(BadVariable, match="http/json"):
        destination("traces", {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"})
