"""Telemetry in a program of one's own: its tracer provider, its current span."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from actorflow import dag, resume, run, run_async, task
from actorflow.errors import TelemetryMissing, TelemetryRefused
from actorflow.flows.load import load_dag
from actorflow.runs.events import RunResumed
from actorflow.runs.executor import Cause
from actorflow.runs.states import RunStatus
from actorflow.runs.store import SqliteStore
from actorflow.telemetry import names
from actorflow.telemetry.choice import require_opentelemetry
from actorflow.telemetry.identity import SpanIds, trace_id_of
from actorflow.telemetry.run_telemetry import open_telemetry
from tests.cli.records import begun, ended, over, ready, records, started, step
from tests.cli.shell import going


@task
async def double(x: int) -> int:
    with trace.get_tracer("t", tracer_provider=PROVIDERS[-1]).start_as_current_span("of the task"):
        return 2 * x


@dag
def doubled(x: int = 21) -> int:
    return double(x)


PROVIDERS: list[TracerProvider] = []
"""Of the test that runs; a task cannot be given one."""


@pytest.fixture
def exporter() -> Generator[InMemorySpanExporter]:
    found = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.name": "shop"}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(found))
    PROVIDERS.append(provider)
    yield found
    PROVIDERS.pop()


def by_name(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in exporter.get_finished_spans()}


def id_of(span: ReadableSpan) -> int:
    context = span.get_span_context()
    assert context is not None
    return context.span_id


def parent_of(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


def test_spans_go_through_the_provider_that_is_given(exporter: InMemorySpanExporter, tmp_path: Path) -> None:
    result = run(doubled, store=tmp_path, telemetry=PROVIDERS[-1])

    spans = by_name(exporter)
    assert result.value == 42
    assert set(spans) == {"RUN doubled", "task double", "attempt double", "of the task"}
    assert {str(span.resource.attributes["service.name"]) for span in spans.values()} == {"shop"}
    assert id_of(spans["RUN doubled"]) == SpanIds(result.run_id).run()
    assert parent_of(spans["RUN doubled"]) is None
    assert parent_of(spans["of the task"]) == id_of(spans["attempt double"])


@pytest.mark.anyio
async def test_a_run_is_below_the_span_that_is_current(
    exporter: InMemorySpanExporter, tmp_path: Path, anyio_backend: object
) -> None:
    with PROVIDERS[-1].get_tracer("t").start_as_current_span("request"):
        await run_async(doubled, store=tmp_path, telemetry=PROVIDERS[-1])

    spans = by_name(exporter)
    assert parent_of(spans["RUN doubled"]) == id_of(spans["request"])
    assert len({span.get_span_context().trace_id for span in spans.values()}) == 1  # type: ignore[union-attr]  # all have one


def test_a_provider_that_samples_nothing_gets_nothing(tmp_path: Path) -> None:
    found = InMemorySpanExporter()
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(found))
    PROVIDERS.append(provider)

    result = run(doubled, store=tmp_path, telemetry=provider)

    PROVIDERS.pop()
    assert found.get_finished_spans() == ()
    (first, *_) = SqliteStore(tmp_path).open_run(result.run_id).records()
    assert str(getattr(first.event, "trace", {})["traceparent"]).endswith("-00")


def test_what_is_no_provider_of_the_sdk_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TelemetryRefused, match="not NoOpTracerProvider"):
        run(doubled, store=tmp_path, telemetry=trace.NoOpTracerProvider())

    assert list(tmp_path.iterdir()) == []


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> None:
        return None

    monkeypatch.setattr("actorflow.telemetry.choice.find_spec", nothing)

    with pytest.raises(TelemetryMissing, match=r"pip install 'actorflow\[otel\]'"):
        require_opentelemetry()


KILLED = """
from pathlib import Path

import anyio

from actorflow import dag, task

@task
def first() -> int:
    return 1

@task
async def second(one: int, mark: Path) -> int:
    if not mark.exists():
        mark.touch()
        await anyio.sleep_forever()
    return one + 1

@dag
def killed(mark: Path) -> int:
    return second(first(), mark)
"""


def test_a_resumed_run_goes_on_with_its_trace_and_ends_what_a_killed_owner_left_open(
    exporter: InMemorySpanExporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "flow.py").write_text(KILLED)
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    with going("run", "flow.py", "--trace", "-p", f"mark={tmp_path / 'mark'}", cwd=tmp_path) as owner:
        run_id = owner.until("run_started")["run_id"]
        owner.until("attempt_started", task="second")
        owner.process.kill()

    dag = load_dag(str(tmp_path / "flow.py"))
    result = resume(run_id, dag, store=tmp_path / ".actorflow", telemetry=PROVIDERS[-1])

    assert result.value == 2
    spans = exporter.get_finished_spans()
    ids = [id_of(span) for span in spans]
    assert len(set(ids)) == len(ids)
    assert {span.get_span_context().trace_id for span in spans} == {trace_id_of(run_id)}  # type: ignore[union-attr]  # all have one
    before, after = [span for span in spans if span.name == "RUN killed"]
    assert (id_of(before), parent_of(before)) == (SpanIds(run_id).run(), None)
    assert (id_of(after), parent_of(after)) == (SpanIds(run_id, 1).run(), id_of(before))
    causes = [dict(span.attributes or {})[names.CAUSE] for span in spans if span.name == "attempt second"]
    assert causes == ["lost", "ran"]
    assert [span.name for span in spans].count("attempt first") == 1
    assert {parent_of(span) for span in spans} <= {None, *ids}


def test_a_life_that_had_ended_is_not_sent_again(exporter: InMemorySpanExporter) -> None:
    failed = [started(step("clean")), ready(1, "clean"), begun(2, "clean"), ended(3, "clean", cause=Cause.error)]
    again = [
        (9.0, RunResumed("me", taken_up=True)),
        begun(9, "clean", attempt=2),
        ended(11, "clean", attempt=2),
        over(12),
    ]
    whole = records(*failed, over(4, RunStatus.failed), *again)
    telemetry = open_telemetry(PROVIDERS[-1])

    for record in whole[:5]:
        telemetry.replay(record)
    telemetry.around({})
    telemetry.observe(whole[5:])
    telemetry.close()

    assert [span.name for span in exporter.get_finished_spans()] == ["attempt clean", "task clean", "RUN etl"]
    assert telemetry.trace_id == f"{trace_id_of('7f3k'):032x}"
