"""OTLP receivers on loopback: they decode what comes over the wire, and wait for what a test wants to see."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc  # type: ignore[import-untyped]  # its stubs are a package of their own
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

HTTP = "http/protobuf"
GRPC = "grpc"
DEADLINE_S = 60


@dataclass
class Received:
    """What has arrived so far. endpoint: for OTEL_EXPORTER_OTLP_ENDPOINT."""

    endpoint: str = ""
    protocol: str = ""
    spans: list[Span] = field(default_factory=list[Span])
    metrics: dict[str, Metric] = field(default_factory=dict[str, Metric])
    services: set[str] = field(default_factory=set[str])
    changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def environment(self) -> dict[str, str]:
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": self.protocol}

    def take_traces(self, request: trace_service_pb2.ExportTraceServiceRequest) -> None:
        with self.changed:
            for resource in request.resource_spans:
                self.services.update(
                    pair.value.string_value for pair in resource.resource.attributes if pair.key == "service.name"
                )
                self.spans += [span for scope in resource.scope_spans for span in scope.spans]
            self.changed.notify_all()

    def take_metrics(self, request: metrics_service_pb2.ExportMetricsServiceRequest) -> None:
        with self.changed:
            for resource in request.resource_metrics:
                self.metrics |= {metric.name: metric for scope in resource.scope_metrics for metric in scope.metrics}
            self.changed.notify_all()

    def wait(self, until: Callable[[], bool]) -> None:
        """Until that holds; looked at whenever something arrives."""
        with self.changed:
            assert self.changed.wait_for(until, DEADLINE_S), f"only {sorted(span.name for span in self.spans)} arrived"

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]

    def only(self, name: str) -> Span:
        (found,) = self.named(name)
        return found


def facts(pairs: Iterable[Any]) -> dict[str, object]:
    """Attributes as they are on the wire, in plain values."""
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


@contextmanager
def http_receiver() -> Generator[Received]:
    received = Received(protocol=HTTP)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            if self.path.endswith("/v1/traces"):
                received.take_traces(trace_service_pb2.ExportTraceServiceRequest.FromString(body))
            else:
                received.take_metrics(metrics_service_pb2.ExportMetricsServiceRequest.FromString(body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Tests say what arrived."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    received.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def grpc_receiver() -> Generator[Received]:
    received = Received(protocol=GRPC)

    class Traces(trace_service_pb2_grpc.TraceServiceServicer):
        def Export(self, request: Any, context: object) -> trace_service_pb2.ExportTraceServiceResponse:
            received.take_traces(request)
            return trace_service_pb2.ExportTraceServiceResponse()

    class Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
        def Export(self, request: Any, context: object) -> metrics_service_pb2.ExportMetricsServiceResponse:
            received.take_metrics(request)
            return metrics_service_pb2.ExportMetricsServiceResponse()

    server = grpc.server(ThreadPoolExecutor(4))
    traces: Any = trace_service_pb2_grpc  # generated, without types
    metrics: Any = metrics_service_pb2_grpc
    traces.add_TraceServiceServicer_to_server(Traces(), server)
    metrics.add_MetricsServiceServicer_to_server(Metrics(), server)
    received.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield received
    finally:
        server.stop(None).wait()


RECEIVERS = {HTTP: http_receiver, GRPC: grpc_receiver}
