"""The live region: one line for a map whatever its width, at most eight running rows, never more than the terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actorflow.cli.board import Board
from actorflow.cli.screen import bar, screen_lines
from actorflow.cli.spans import plain_text
from actorflow.runs.events import Event
from actorflow.runs.executor import Cause
from tests.cli.records import START_S, VALUE_ERROR, begun, ended, ready, records, started, step, unstarted


def board_of(*events: tuple[float, Event]) -> Board:
    board = Board()
    for record in records(*events):
        board.apply(record)
    return board


def seen(
    board: Board, *, after_s: float = 10.0, width: int = 100, height: int = 40, grace_left_s: float | None = None
) -> list[str]:
    lines = screen_lines(board, now_s=START_S + after_s, width=width, height=height, grace_left_s=grace_left_s)
    return [plain_text(spans) for spans in lines]


def running_map() -> Board:
    events = [
        started(step("extract"), step("clean", "extract", mapped="row"), step("report", "clean"), day="2026-11-20"),
        ready(0, "extract"),
        begun(0, "extract"),
        ended(0.8, "extract", took_s=0.8),
        ready(1, "clean", 240),
    ]
    for index in range(60):
        events += [begun(1, "clean", index), ended(2, "clean", index)]
    events += [
        begun(7.9, "clean", 61),
        begun(8, "clean", 62),
        ended(8.5, "clean", 62, cause=Cause.timed_out, retry_in_s=0.1),
        begun(9, "clean", 62, 2),
    ]
    return board_of(*events)


def test_the_screen_of_a_running_map() -> None:
    assert seen(running_map()) == [
        " etl run 7f3k  day=2026-11-20",
        " ok   extract     0.8s",
        " run  clean[*]  60/240  1 retried  ~27s left  #######.....................",
        "   | clean[61]  2.1s",
        "   | clean[62]  1.0s  attempt 2, after timed out",
        " wait report    after clean",
        "-" * 80,
        " 61 ok  2 running  179 waiting  0 failed  10s",
    ]


def test_at_most_eight_running_rows_are_shown_and_the_rest_counted() -> None:
    events = [started(step("m", mapped="x")), ready(0, "m", 100), *[begun(1, "m", index) for index in range(50)]]
    lines = seen(board_of(*events))

    assert sum(text.startswith("   | m[") for text in lines) == 8
    assert "   | 42 more running" in lines


def test_steps_over_fold_but_failed_ones_stay() -> None:
    events = [started(*[step(f"s{n}") for n in range(30)])]
    for n in range(30):
        error = {"cause": Cause.error, "error": VALUE_ERROR} if n == 3 else {}
        events += [ready(0, f"s{n}"), begun(0, f"s{n}"), ended(1, f"s{n}", **error)]  # type: ignore[arg-type]
    lines = seen(board_of(*events))

    assert " ok   24 more steps over" in lines
    assert any(text.startswith(" FAIL s3") for text in lines)
    assert any(text.startswith(" ok   s29") for text in lines)


def test_a_cancelled_run_counts_its_grace_down() -> None:
    assert seen(running_map(), grace_left_s=6.6)[-1].endswith("cancelling, 7s left for what runs; Ctrl-C again kills")


def test_steps_that_were_not_run_are_told_from_those_that_were() -> None:
    board = board_of(
        started(step("a"), step("b", "a")),
        ready(0, "a"),
        begun(0, "a"),
        ended(1, "a", cause=Cause.error, error=VALUE_ERROR),
        unstarted(1, "b"),
    )

    lines = seen(board)

    assert any(text.startswith(" FAIL a") for text in lines)
    assert any(text.startswith(" none b") for text in lines)


def test_a_bar_always_shows_that_something_failed() -> None:
    board = board_of(
        started(step("m", mapped="x")),
        ready(0, "m", 10_000),
        begun(0, "m", 0),
        ended(1, "m", 0, cause=Cause.error, error=VALUE_ERROR),
    )

    assert plain_text(bar(board.rows["m"])) == "!" + "." * 27


@given(
    steps=st.integers(0, 40),
    running=st.integers(0, 40),
    over=st.integers(0, 40),
    width=st.integers(20, 200),
    height=st.integers(6, 60),
)
def test_the_screen_never_outgrows_its_terminal(steps: int, running: int, over: int, width: int, height: int) -> None:
    events = [started(*[step(f"s{n}", mapped="x") for n in range(steps)])]
    for n in range(min(running + over, steps)):
        events += [ready(0, f"s{n}", 20), *[begun(1, f"s{n}", index) for index in range(15)]]
    for n in range(min(over, steps)):
        events += [ended(2, f"s{n}", index) for index in range(20)]

    assert len(seen(board_of(*events), width=width, height=height)) <= height
