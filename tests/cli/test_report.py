"""The end of a run: first causes first, the cascade counted, then what to type next."""

from __future__ import annotations

from actorflow.cli.board import Board
from actorflow.cli.report import Next, report_lines
from actorflow.cli.spans import plain_text
from actorflow.runs.events import Event
from actorflow.runs.executor import Cause
from actorflow.runs.states import RunStatus
from tests.cli.records import VALUE_ERROR, begun, ended, over, ready, records, started, step, unstarted

NEXT = Next(target="etl.py", folder="/home/me")


def reported(*events: tuple[float, Event], next_: Next = NEXT) -> list[str]:
    board = Board()
    for record in records(*events):
        board.apply(record)
    return [plain_text(one) for one in report_lines(board, next_)]


def test_a_success_is_one_line_and_flaky_tasks_are_said() -> None:
    lines = reported(
        started(step("a"), step("b", "a")),
        ready(0, "a"),
        begun(0, "a"),
        ended(1, "a", cause=Cause.error, error=VALUE_ERROR, retry_in_s=0.1),
        begun(1.1, "a", None, 2),
        ended(2, "a", None, 2),
        ready(2, "b"),
        begun(2, "b"),
        ended(3, "b"),
        over(3.2),
    )

    assert lines == ["run 7f3k succeeded in 3.2s: 2 ok, 1 flaky (passed on retry)"]


def test_a_failed_run_tells_the_cause_the_cascade_and_the_next_commands() -> None:
    lines = reported(
        started(step("clean", mapped="row"), step("report", "clean"), step("mail", "report")),
        ready(0, "clean", 2),
        begun(0, "clean", 0),
        begun(0, "clean", 1),
        ended(1, "clean", 0),
        ended(1, "clean", 1, cause=Cause.error, error=VALUE_ERROR),
        unstarted(1, "report"),
        unstarted(1, "mail"),
        over(34, RunStatus.failed),
    )

    assert lines[0].startswith("FAILED clean[1]  ValueError")
    assert "  not run: report, mail, for want of clean[*]" in lines
    assert "run 7f3k failed in 34s: 1 ok, 1 failed, 2 not run" in lines
    assert lines[-3:] == [
        "  show    actorflow show 7f3k",
        "  resume  actorflow resume 7f3k",
        "  debug   actorflow run etl.py --executor inline",
    ]


def test_a_step_that_did_not_run_names_only_the_failures_above_it() -> None:
    lines = reported(
        started(step("first"), step("second"), step("third", "second"), step("fourth", "third")),
        ready(0, "first"),
        ready(0, "second"),
        begun(0, "first"),
        begun(0, "second"),
        ended(1, "first", cause=Cause.error, error=VALUE_ERROR),
        ended(1, "second", cause=Cause.error, error=VALUE_ERROR),
        unstarted(1, "third"),
        unstarted(1, "fourth"),
        over(2, RunStatus.failed),
    )

    assert "  not run: third, fourth, for want of second" in lines


def test_of_many_failures_the_first_three_are_shown_and_the_rest_counted() -> None:
    events = [started(step("clean", mapped="row")), ready(0, "clean", 30)]
    for index in range(30):
        events += [begun(0, "clean", index), ended(1, "clean", index, cause=Cause.error, error=VALUE_ERROR)]

    lines = reported(*events, over(2, RunStatus.failed))

    assert sum(text.startswith("FAILED") for text in lines) == 3
    assert "  and 27 more failed" in lines


def test_the_advice_names_a_store_that_was_named() -> None:
    lines = reported(started(), over(1, RunStatus.cancelled), next_=Next(target="etl.py", folder="/", store="/tmp/s"))

    assert lines == [
        "run 7f3k cancelled in 1.0s: nothing ran",
        "  show    actorflow show 7f3k --store /tmp/s",
        "  resume  actorflow resume 7f3k --store /tmp/s",
    ]
