"""Records in, lines out: a small run line by line, a wide map as counts."""

from __future__ import annotations

import re

import pytest

from actorflow.cli.board import Board
from actorflow.cli.plain import MAX_SHOWN_TROUBLES, PlainLines, TroubleLines, heartbeat_line
from actorflow.cli.spans import plain_text
from actorflow.runs.events import Event, Record, RunCancelling
from actorflow.runs.executor import Cause
from actorflow.runs.states import TaskState
from tests.cli.records import START_S, VALUE_ERROR, begun, ended, over, ready, records, started, step, unstarted


def told(*events: tuple[float, Event]) -> list[str]:
    """The lines without their time of day."""
    board = Board()
    plain = PlainLines(board)
    lines: list[str] = []
    for record in records(*events):
        board.apply(record)
        lines += [plain_text(spans) for spans in plain.of(record)]
    assert all(re.match(r"\d\d:\d\d:\d\d ", text) for text in lines)
    return [text[9:] for text in lines]


def test_a_small_run_is_told_change_by_change() -> None:
    lines = told(
        started(step("extract"), step("clean", "extract", mapped="row", attempts=3), day="2026-11-20", top=3),
        ready(0, "extract"),
        begun(0, "extract"),
        ended(0.8, "extract", took_s=0.8),
        ready(0.8, "clean", 2),
        begun(0.8, "clean", 0),
        begun(0.8, "clean", 1),
        ended(2.9, "clean", 0, took_s=2.1),
        ended(1.0, "clean", 1, cause=Cause.error, error=VALUE_ERROR, retry_in_s=0.4),
        begun(1.4, "clean", 1, 2),
        ended(3.0, "clean", 1, 2, took_s=1.6),
        over(3.0),
    )

    assert lines == [
        "etl run 7f3k  day=2026-11-20  top=3",
        "extract sent to a worker",
        "extract ok 0.8s",
        "clean[*] 2 items",
        "clean[0] sent to a worker",
        "clean[1] sent to a worker",
        "clean[0] ok 2.1s",
        "clean[1] retry ValueError: could not convert string to float: 'n/a', attempt 1 of 3, next in 0.4s",
        "clean[1] ok 1.6s, attempt 2 of 3",
    ]


def test_what_runs_in_this_process_is_told_as_started() -> None:
    lines = told(started(step("extract", executor="async")), ready(0, "extract"), begun(0, "extract"))

    assert lines[1:] == ["extract started"]


def test_a_failure_is_told_at_once_and_what_needed_it_once_a_step() -> None:
    lines = told(
        started(step("a"), step("b", "a")),
        ready(0, "a"),
        begun(0, "a"),
        ended(1, "a", cause=Cause.error, error=VALUE_ERROR),
        unstarted(1, "b"),
    )

    assert lines[2:] == [
        "a FAILED ValueError: could not convert string to float: 'n/a', attempt 1 of 1, 1.0s",
        "b not run, needs a",
    ]


def test_a_wide_map_is_told_by_tenths() -> None:
    width = 1000
    events = [started(step("clean", mapped="row")), ready(0, "clean", width)]
    for index in range(width):
        events += [begun(1, "clean", index), ended(2, "clean", index)]

    lines = told(*events)

    assert len(lines) == 2 + 10
    assert lines[2] == "clean[*] 100/1,000 ok 100"
    assert lines[-1] == "clean[*] 1,000/1,000 ok 1,000  2.0s"


def test_a_wide_map_tells_its_first_troubles_and_counts_the_rest() -> None:
    width = 100
    events = [started(step("clean", mapped="row")), ready(0, "clean", width)]
    for index in range(width):
        events += [begun(1, "clean", index), ended(2, "clean", index, cause=Cause.error, error=VALUE_ERROR)]

    lines = told(*events)

    assert sum("FAILED ValueError" in text for text in lines) == MAX_SHOWN_TROUBLES
    assert sum("more failures and retries are counted" in text for text in lines) == 1
    assert lines[-1] == "clean[*] 100/100 FAILED 100  2.0s"


def test_an_empty_map_is_done_at_once() -> None:
    assert told(started(step("clean", mapped="row")), ready(0, "clean", 0))[1:] == [
        "clean[*] ok nothing to do, 0 items"
    ]


def test_a_note_of_the_plan_and_a_cancel_are_told() -> None:
    lines = told(started(notes=("inline enforces no timeout",)), (1.0, RunCancelling("Ctrl-C")))

    assert lines == ["etl run 7f3k", "note inline enforces no timeout", "cancelling Ctrl-C"]


def test_a_cancelled_instance_says_so() -> None:
    lines = told(started(step("a")), ready(0, "a"), begun(0, "a"), ended(1, "a", cause=Cause.cancelled))

    assert lines[-1] == "a cancelled 1.0s"


def test_a_parameter_too_long_for_a_line_is_cut() -> None:
    (line,) = told(started(text="x" * 500))

    assert len(line) < 100


def test_the_heartbeat_names_what_has_run_longest() -> None:
    board = board_of(started(step("a"), step("b")), ready(0, "a"), ready(0, "b"), begun(5, "b"), begun(1, "a"))

    assert plain_text(heartbeat_line(board, START_S + 31))[9:] == (
        "still running: 0 ok  2 running  0 waiting  0 failed; longest: a 30s, b 26s"
    )


def test_above_a_live_region_only_final_failures_are_lines() -> None:
    board = Board()
    troubles = TroubleLines(board)
    lines: list[str] = []
    for record in records(
        started(step("a"), step("b")),
        ready(0, "a"),
        begun(0, "a"),
        ended(1, "a", cause=Cause.error, error=VALUE_ERROR, retry_in_s=1),
        begun(2, "a", None, 2),
        ended(3, "a", None, 2, cause=Cause.error, error=VALUE_ERROR),
    ):
        board.apply(record)
        lines += [plain_text(spans)[9:] for spans in troubles.of(record)]

    assert lines == ["a FAILED ValueError: could not convert string to float: 'n/a', attempt 2, 1.0s"]


def board_of(*events: tuple[float, Event]) -> Board:
    board = Board()
    for record in records(*events):
        board.apply(record)
    return board


def test_the_board_counts_each_instance_once() -> None:
    board = board_of(
        started(step("a"), step("m", "a", mapped="x"), step("z", "m")),
        ready(0, "a"),
        begun(0, "a"),
        ended(1, "a"),
        ready(1, "m", 4),
        begun(1, "m", 0),
        begun(1, "m", 1),
        ended(2, "m", 0, cause=Cause.error, error=VALUE_ERROR, retry_in_s=0.1),
        begun(2, "m", 0, 2),
        ended(3, "m", 0, 2),
        ended(3, "m", 1, cause=Cause.lost),
        unstarted(3, "m", 2, TaskState.cancelled),
    )

    assert board.total(TaskState.succeeded) == 2
    assert board.total(TaskState.failed) == 1
    assert board.total(TaskState.cancelled) == 1
    assert (board.running, board.waiting, board.flaky) == (0, 2, 1)
    assert board.rows["a"].is_over
    assert not board.rows["m"].is_over
    assert [failure.label for failure in board.failures] == ["m[1]"]


def test_what_a_pause_takes_back_is_neither_a_retry_nor_flaky() -> None:
    events = (
        started(step("a")),
        ready(0, "a"),
        begun(0, "a"),
        ended(1, "a", cause=Cause.cancelled, retry_in_s=0.0),
        begun(2, "a", None, 2),
        ended(3, "a", None, 2),
    )
    board = board_of(*events)

    assert (board.flaky, board.rows["a"].retries) == (0, 0)
    assert "a taken back by the pause, attempt 1 of 1" in told(*events)


@pytest.mark.parametrize(
    ("cause", "attempt"),
    [(Cause.error, "attempt 1 of 2"), (Cause.lost, "attempt 1"), (Cause.out_of_memory, "attempt 1")],
)
def test_a_retry_tells_the_bound_of_the_budget_it_is_out_of(cause: Cause, attempt: str) -> None:
    lines = told(
        started(step("a", attempts=2)),
        ready(0, "a"),
        begun(0, "a"),
        ended(1, "a", cause=cause, error=VALUE_ERROR, retry_in_s=0.4),
    )

    assert lines[-1].endswith(f", {attempt}, next in 0.4s")


def test_a_step_cancelled_as_a_whole_counts_what_was_left_of_it() -> None:
    board = board_of(
        started(step("m", mapped="x")),
        ready(0, "m", 10),
        begun(0, "m", 0),
        ended(1, "m", 0),
        unstarted(1, "m", None, TaskState.cancelled),
    )

    assert board.total(TaskState.cancelled) == 9
    assert board.waiting == 0


def test_the_board_of_a_huge_map_holds_only_what_runs() -> None:
    board = Board()
    for record in records(started(step("m", mapped="x")), ready(0, "m", 5000)):
        board.apply(record)
    for index in range(5000):
        for record in records(begun(1, "m", index), ended(2, "m", index, cause=Cause.error, error=VALUE_ERROR)):
            board.apply(Record(record.seq, record.ts, record.event))

    assert board.rows["m"].running == {}
    assert len(board.failures) == 20
    assert board.total(TaskState.failed) == 5000
