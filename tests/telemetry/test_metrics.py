"""The metrics of a run, from its records."""

from __future__ import annotations

from actorflow.runs.events import AttemptFinished, Record, RunFinished
from actorflow.runs.executor import AttemptState, Cause
from actorflow.runs.states import RunStatus
from actorflow.telemetry import names
from actorflow.telemetry.metrics import METRICS, Amount, Metric, MetricFold
from actorflow.telemetry.metrics import __doc__ as table
from actorflow.telemetry.readiness import Readiness
from tests.cli.records import START_S, VALUE_ERROR, begun, ended, over, ready, records, started, step


def amounts_of(run: list[Record]) -> list[Amount]:
    fold, readiness = MetricFold(), Readiness()
    return [amount for record in run for amount in fold.apply(record, readiness.apply(record))]


def amounts(run: list[Record], metric: str) -> list[tuple[float, dict[str, str]]]:
    return [(amount.amount, dict(amount.attributes)) for amount in amounts_of(run) if amount.metric.name == metric]


def retried() -> list[Record]:
    return records(
        started(step("clean", attempts=2)),
        ready(1, "clean"),
        begun(1, "clean"),
        ended(3, "clean", cause=Cause.error, error=VALUE_ERROR, retry_in_s=1, took_s=1),
        begun(4, "clean", attempt=2),
        ended(9, "clean", attempt=2, took_s=2),
        over(10),
    )


def test_a_run_is_active_until_it_is_over() -> None:
    labels = {names.PIPELINE: "etl", names.RUN_STATE: "executing"}

    assert amounts(retried(), "cicd.pipeline.run.active") == [(1, labels), (-1, labels)]


def test_the_duration_of_a_run_has_its_result() -> None:
    ((seconds, labels),) = amounts(retried(), "cicd.pipeline.run.duration")

    assert seconds == 10
    assert labels == {names.PIPELINE: "etl", names.RUN_STATE: "executing", names.RESULT: "success"}


def test_a_failed_run_is_an_error_of_its_type() -> None:
    end = RunFinished(run_id="7f3k", status=RunStatus.failed, cause=Cause.error, error=VALUE_ERROR)

    found = amounts(records(started(), (3, end)), "cicd.pipeline.run.errors")

    assert found == [(1, {names.PIPELINE: "etl", names.ERROR_TYPE: "ValueError"})]


def test_attempts_are_counted_by_result_and_cause() -> None:
    labels = {names.PIPELINE: "etl", names.TASK: "clean"}

    assert amounts(retried(), "actorflow.attempts") == [
        (1, {**labels, names.TASK_RESULT: "failure", names.CAUSE: "error"}),
        (1, {**labels, names.TASK_RESULT: "success", names.CAUSE: "ran"}),
    ]


def test_an_attempt_lasts_from_its_start_to_its_end() -> None:
    assert [seconds for seconds, _ in amounts(retried(), "actorflow.attempt.duration")] == [1, 2]


def test_a_task_lasts_since_it_was_ready_with_its_retries() -> None:
    assert [seconds for seconds, _ in amounts(retried(), "actorflow.task.duration")] == [8]


def test_waiting_is_since_the_attempt_could_have_run() -> None:
    assert [seconds for seconds, _ in amounts(retried(), "actorflow.task.queue.duration")] == [1, 3]


def test_the_peak_of_memory_is_recorded_where_it_is_known() -> None:
    end = AttemptFinished(
        task="clean",
        map_index=None,
        attempt=1,
        state=AttemptState.succeeded,
        cause=Cause.ran,
        peak_rss_bytes=1 << 20,
        started=START_S,
    )

    found = amounts(records(started(step("clean")), (3, end)), "actorflow.attempt.memory.peak")

    assert found == [(1 << 20, {names.PIPELINE: "etl", names.TASK: "clean"})]


def test_a_worker_that_died_is_an_error_of_the_system() -> None:
    run = records(started(step("clean")), begun(1, "clean"), ended(2, "clean", cause=Cause.lost))

    assert amounts(run, "cicd.system.errors") == [(1, {names.COMPONENT: "worker", names.ERROR_TYPE: "lost"})]


def test_no_label_is_an_id() -> None:
    labels = {value for amount in amounts_of(retried()) for value in amount.attributes.values()}

    assert not any("7f3k" in label for label in labels)


def test_the_table_names_every_metric_with_its_kind_and_unit() -> None:
    kinds = {"counter": "counter", "up_down": "up and down", "histogram": "histogram"}

    def row(metric: Metric) -> str:
        return f"| {metric.name} | {kinds[metric.kind.value]} | {metric.unit} |"

    assert [metric.name for metric in METRICS if row(metric) not in (table or "")] == []
