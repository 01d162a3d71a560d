"""Runs that send their telemetry to a real OTLP receiver, from real worker processes, over both protocols."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from actorflow.telemetry import names
from actorflow.telemetry.identity import SpanIds, read_traceparent, trace_id_of
from tests.cli.shell import Ended, actorflow
from tests.telemetry.dags import ENVIRONMENT, FAILING, KILLED, OWN_PROVIDER, PLAIN, TRACED
from tests.telemetry.receiver import RECEIVERS, Received, facts, http_receiver

INCOMING = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def received() -> Generator[Received]:
    with http_receiver() as found:
        yield found


def run(text: str, folder: Path, received: Received, *arguments: str, **more: str) -> Ended:
    (folder / "flow.py").write_text(text)
    return actorflow("run", "flow.py", "--trace", *arguments, cwd=folder, env={**received.environment, **more})


@pytest.mark.parametrize("protocol", RECEIVERS)
def test_a_run_is_one_trace_across_its_supervisor_and_its_workers(protocol: str, tmp_path: Path) -> None:
    with RECEIVERS[protocol]() as received:
        done = run(TRACED, tmp_path, received)
        assert (done.code, done.out) == (0, "6\n"), done.err
        received.wait(lambda: bool(received.named("RUN etl")) and len(received.named("outer")) == 3)

    spans = {span.span_id: span for span in received.spans}
    assert len(spans) == len(received.spans)
    assert len({span.trace_id for span in received.spans}) == 1
    root = received.only("RUN etl")
    assert [span.name for span in received.spans if span.parent_span_id not in spans] == ["RUN etl"]
    assert root.parent_span_id == b""
    run_id = str(facts(root.attributes)[names.RUN_ID])
    assert root.trace_id == trace_id_of(run_id).to_bytes(16, "big")
    for outer in received.named("outer"):
        attempt = spans[outer.parent_span_id]
        assert attempt.name == "attempt clean"
        assert spans[attempt.parent_span_id].name == "task clean"
        assert attempt.start_time_unix_nano <= outer.start_time_unix_nano
        assert outer.end_time_unix_nano <= attempt.end_time_unix_nano
    assert {spans[span.parent_span_id].name for span in received.named("inner")} == {"outer"}
    assert spans[received.only("read in the loop").parent_span_id].name == "attempt rows"
    assert spans[received.only("add in a thread").parent_span_id].name == "attempt total"
    assert received.services == {"actorflow"}
    assert f"tracing to {received.endpoint} ({protocol}), trace {root.trace_id.hex()}" in done.err
    assert "could not be delivered" not in done.err


@pytest.mark.parametrize("protocol", RECEIVERS)
def test_the_metrics_of_a_run_arrive_with_it(protocol: str, tmp_path: Path) -> None:
    with RECEIVERS[protocol]() as received:
        assert run(TRACED, tmp_path, received).code == 0
        received.wait(lambda: "cicd.pipeline.run.duration" in received.metrics)

    counted = {
        str(facts(point.attributes)[names.TASK]): point.as_int
        for point in received.metrics["actorflow.attempts"].sum.data_points
    }
    assert counted == {"rows": 1, "clean": 3, "total": 1}
    (queue,) = [
        point
        for point in received.metrics["actorflow.task.queue.duration"].histogram.data_points
        if facts(point.attributes)[names.TASK] == "clean"
    ]
    assert queue.count == 3
    (peak,) = received.metrics["actorflow.attempt.memory.peak"].histogram.data_points
    assert peak.sum > 3 << 20
    (active,) = received.metrics["cicd.pipeline.run.active"].sum.data_points
    assert active.as_int == 0


def test_no_span_is_an_orphan_after_kill_9_of_a_worker(received: Received, tmp_path: Path) -> None:
    done = run(KILLED, tmp_path, received)
    assert (done.code, done.out) == (0, '"done"\n'), done.err
    received.wait(lambda: bool(received.named("RUN killed")) and bool(received.named("second time")))

    spans = {span.span_id: span for span in received.spans}
    assert [span.name for span in received.spans if span.parent_span_id not in spans] == ["RUN killed"]
    first, second = sorted(received.named("attempt work"), key=lambda span: span.start_time_unix_nano)
    assert facts(first.attributes)[names.CAUSE] == "lost"
    assert facts(first.attributes)[names.ERROR_TYPE] == "lost"
    assert "signal 9" in first.status.message or "SIGKILL" in first.status.message
    assert first.parent_span_id == second.parent_span_id
    (link,) = second.links
    assert (link.span_id, facts(link.attributes)) == (first.span_id, {names.LINK: "retry_of"})
    assert received.only("second time").parent_span_id == second.span_id
    assert received.named("child of what is left open") == []


def test_a_failure_and_its_retry_are_seen(received: Received, tmp_path: Path) -> None:
    assert run(FAILING, tmp_path, received).code == 1
    received.wait(lambda: bool(received.named("RUN failing")))

    attempts = received.named("attempt parse")
    assert [facts(span.attributes)[names.ATTEMPT] for span in attempts] == [1, 2]
    (event,) = attempts[1].events
    assert facts(event.attributes)[names.EXCEPTION_TYPE] == "builtins.ValueError"
    assert facts(received.only("RUN failing").attributes)[names.RESULT] == "failure"
    assert received.only("RUN failing").status.message.startswith("ValueError: could not convert")


def test_a_run_goes_on_with_the_trace_of_who_started_the_command(received: Received, tmp_path: Path) -> None:
    incoming = read_traceparent(INCOMING)
    assert incoming is not None

    assert run(PLAIN, tmp_path, received, TRACEPARENT=INCOMING, TRACESTATE="vendor=1").code == 0
    received.wait(lambda: bool(received.named("RUN plain")))

    root = received.only("RUN plain")
    assert root.trace_id == incoming.trace_id.to_bytes(16, "big")
    assert root.parent_span_id == incoming.span_id.to_bytes(8, "big")
    assert root.trace_state == "vendor=1"


def test_a_trace_that_is_not_sampled_stays_so(received: Received, tmp_path: Path) -> None:
    assert run(PLAIN, tmp_path, received, TRACEPARENT=INCOMING[:-1] + "0").code == 0
    received.wait(lambda: "actorflow.attempts" in received.metrics)

    assert received.spans == []


def test_a_program_that_a_task_starts_finds_the_trace_in_its_environment(received: Received, tmp_path: Path) -> None:
    done = run(ENVIRONMENT, tmp_path, received)
    received.wait(lambda: bool(received.named("RUN child")))

    told = read_traceparent(done.answer)
    assert told is not None
    assert told.span_id.to_bytes(8, "big") == received.only("attempt told").span_id


def test_show_prints_the_trace_of_a_run(received: Received, tmp_path: Path) -> None:
    run(PLAIN, tmp_path, received)
    shown = actorflow("show", "@last", cwd=tmp_path)
    told = actorflow("runs", "--json", cwd=tmp_path)

    run_id = told.answer["runs"][0]["run_id"]
    assert f"trace {trace_id_of(run_id):032x}" in shown.out


def test_a_run_without_telemetry_shows_no_trace(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(PLAIN)
    actorflow("run", "flow.py", cwd=tmp_path)

    assert "trace" not in actorflow("show", "@last", cwd=tmp_path).out


def test_a_provider_that_the_users_file_sets_up_is_used_for_everything(received: Received, tmp_path: Path) -> None:
    done = run(OWN_PROVIDER, tmp_path, received)
    assert done.code == 0, done.err
    received.wait(lambda: bool(received.named("RUN own")) and bool(received.named("of the user")))

    assert received.services == {"the user's own"}
    spans = {span.span_id: span.name for span in received.spans}
    assert spans[received.only("of the user").parent_span_id] == "attempt one"
    run_id = str(facts(received.only("RUN own").attributes)[names.RUN_ID])
    assert received.only("RUN own").span_id == SpanIds(run_id).run().to_bytes(8, "big")
    assert "tracing to the tracer provider of this program" in done.err


def test_an_unreachable_collector_fails_nothing_and_is_told_at_the_end(tmp_path: Path) -> None:
    nobody = Received(endpoint="http://127.0.0.1:1", protocol="http/protobuf")

    done = run(TRACED, tmp_path, nobody)

    assert (done.code, done.out) == (0, "6\n")
    assert "spans could not be delivered to http://127.0.0.1:1 (http/protobuf): connection refused" in done.err
    assert "Transient error" not in done.err


def test_the_environment_turns_it_on_and_the_flag_off_again(received: Received, tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(PLAIN)
    on = {**received.environment, "ACTORFLOW_TRACE": "1"}

    told = actorflow("run", "flow.py", cwd=tmp_path, env=on)
    silent = actorflow("run", "flow.py", "--no-trace", cwd=tmp_path, env=on)

    assert "tracing to" in told.err
    assert "tracing to" not in silent.err


def test_a_profile_turns_it_on(received: Received, tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(PLAIN)
    (tmp_path / "actorflow.toml").write_text("[profile.ci]\ntrace = true\n")

    done = actorflow("run", "flow.py", "--profile", "ci", cwd=tmp_path, env=received.environment)

    assert "tracing to" in done.err


def test_a_variable_that_asks_for_what_there_is_not_is_refused_before_anything_runs(tmp_path: Path) -> None:
    done = run(PLAIN, tmp_path, Received(protocol="http/json"))

    assert done.code == 2
    assert "OTEL_EXPORTER_OTLP_PROTOCOL is 'http/json'; it may be http/protobuf or grpc" in done.err
    assert not (tmp_path / ".actorflow").exists()


def test_a_missing_extra_is_refused_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text("raise SystemExit('was imported')\n")
    hidden = tmp_path / "hidden"
    (hidden / "opentelemetry").mkdir(parents=True)
    (hidden / "opentelemetry" / "__init__.py").write_text("")

    done = actorflow("run", "flow.py", "--trace", cwd=tmp_path, env={"PYTHONPATH": str(hidden)})

    assert done.code == 2
    assert "--trace needs OpenTelemetry, which is not installed" in done.err
    assert "help: pip install 'actorflow[otel]'" in done.err
    assert "was imported" not in done.err


def test_without_telemetry_nothing_of_it_is_imported_here_or_in_a_worker(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(
        """
import sys
from actorflow import dag, task

@task
def there() -> list[str]:
    return [name for name in sys.modules if name.partition(".")[0] == "opentelemetry"]

@task
async def here(found: list[str]) -> list[str]:
    return found + [name for name in sys.modules if name.partition(".")[0] == "opentelemetry"]

@dag
def imports() -> list[str]:
    return here(there())
"""
    )

    done = actorflow("run", "flow.py", cwd=tmp_path)

    assert (done.code, done.answer) == (0, []), done.err
