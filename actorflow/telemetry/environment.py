"""What the standard OTEL_* variables ask for, as far as telemetry must know it itself. Pure; the SDK reads the rest.

Source: OpenTelemetry specification, "Environment Variable Specification" and "OTLP Exporter Configuration".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

HTTP: Final = "http/protobuf"
GRPC: Final = "grpc"
_PORTS: Final = {HTTP: 4318, GRPC: 4317}
_ENTRY_POINTS: Final = {HTTP: "otlp_proto_http", GRPC: "otlp_proto_grpc"}


class BadVariable(ValueError):
    """A variable asks for what there is not."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where one signal goes. entry_point: of its exporter; None for nowhere. where: for people."""

    entry_point: str | None
    where: str


def destination(signal: str, environment: Mapping[str, str]) -> Destination:
    """signal: "traces" or "metrics".

    | OTEL_SDK_DISABLED | OTEL_TRACES_EXPORTER | protocol | exporter |
    |---|---|---|---|
    | true | | | none |
    | | none | | none |
    | | otlp, or not set | http/protobuf, or not set | OTLP over HTTP |
    | | otlp, or not set | grpc | OTLP over gRPC |
    | | another name | | the installed exporter of that name |

    Raises BadVariable for a protocol that is neither.
    """
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return Destination(None, "nowhere (OTEL_SDK_DISABLED)")
    variable = f"OTEL_{signal.upper()}_EXPORTER"
    name = environment.get(variable, "").partition(",")[0].strip() or "otlp"
    if name == "none":
        return Destination(None, f"nowhere ({variable}=none)")
    if name != "otlp":
        return Destination(name, name)
    protocol = _of_otlp("PROTOCOL", signal, environment) or HTTP
    if protocol not in _ENTRY_POINTS:
        raise BadVariable(f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol!r}; it may be {HTTP} or {GRPC}")
    endpoint = _of_otlp("ENDPOINT", signal, environment) or f"http://localhost:{_PORTS[protocol]}"
    return Destination(_ENTRY_POINTS[protocol], f"{endpoint} ({protocol})")


def _of_otlp(name: str, signal: str, environment: Mapping[str, str]) -> str:
    """The variable of the signal, else that of all signals."""
    own = environment.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_{name}", "").strip()
    return own or environment.get(f"OTEL_EXPORTER_OTLP_{name}", "").strip()
