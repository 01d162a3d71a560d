"""The files that tests run with telemetry on."""

from __future__ import annotations

TRACED = """
from opentelemetry import trace

from actorflow import Retry, dag, task

tracer = trace.get_tracer("etl")

@task
async def rows(n: int) -> list[int]:
    with tracer.start_as_current_span("read in the loop"):
        return list(range(n))

@task
def clean(row: int) -> int:
    with tracer.start_as_current_span("outer", attributes={"row": row}):
        with tracer.start_as_current_span("inner"):
            return 2 * row

@task(executor="thread")
def total(rows: list[int]) -> int:
    with tracer.start_as_current_span("add in a thread"):
        return sum(rows)

@dag
def etl(n: int = 3) -> int:
    return total(clean.map(rows(n)))
"""

KILLED = """
import os, signal
from pathlib import Path

from opentelemetry import trace

from actorflow import dag, task

@task
def work(mark: Path) -> str:
    tracer = trace.get_tracer("t")
    if mark.exists():
        with tracer.start_as_current_span("second time"):
            return "done"
    mark.touch()
    with tracer.start_as_current_span("left open"):
        with tracer.start_as_current_span("child of what is left open"):
            pass
        trace.get_tracer_provider().flush()
        os.kill(os.getpid(), signal.SIGKILL)

@dag
def killed(mark: Path = Path("mark").absolute()) -> str:
    return work(mark)
"""

ENVIRONMENT = """
import os

from actorflow import dag, task

@task
def told() -> str:
    return os.environ["TRACEPARENT"]

@dag
def child() -> str:
    return told()
"""

PLAIN = """
from actorflow import dag, task

@task
async def one() -> int:
    return 1

@dag
def plain() -> int:
    return one()
"""

FAILING = """
from actorflow import Retry, dag, task

@task(retry=Retry(attempts=2, backoff="fixed", base="1ms", jitter=0))
async def parse(text: str) -> float:
    return float(text)

@dag
def failing(text: str = "n/a") -> float:
    return parse(text)
"""

OWN_PROVIDER = """
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

from actorflow import dag, task

provider = TracerProvider(resource=Resource({"service.name": "the user's own"}))
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)

@task
def one() -> int:
    with trace.get_tracer("t").start_as_current_span("of the user"):
        return 1

@dag
def own() -> int:
    return one()
"""
