"""A view folds every record, draws on its own thread, and never lets a slow terminal hold up the run."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from actorflow.cli.board import Board
from actorflow.cli.painters import Countdown, NoPainter, PlainPainter
from actorflow.cli.plain import PlainLines
from actorflow.cli.spans import Line, line, plain_text
from actorflow.cli.streams import Notes
from actorflow.cli.view import MAX_WAITING_LINES, Glance, Grace, View
from actorflow.runs.events import Record
from actorflow.runs.states import TaskState
from tests.cli.records import START_S, begun, ended, ready, records, started, step
from tests.cli.streams import Written

RUN = records(started(step("m", mapped="x")), ready(0, "m", 3), *[ended(1, "m", n) for n in range(3)], begun(1, "m", 0))


class SlowPainter:
    """Draws nothing before it is let; what it was given is in `drawn`."""

    gap_s = 0.0

    def __init__(self) -> None:
        self.busy = threading.Event()
        self.let = threading.Event()
        self.drawn: list[Line] = []
        self.closed = False

    def idle_s(self, grace: Grace | None) -> float:
        return 3600.0

    def compose(self, glance: Glance) -> list[Line]:
        return []

    def draw(self, lines: Sequence[Line], composed: Sequence[Line]) -> None:
        self.busy.set()
        assert self.let.wait(60)
        self.drawn += lines

    def given_back(self) -> AbstractContextManager[None]:
        return nullcontext()

    def close(self) -> None:
        self.closed = True


def say_seq(record: Record) -> list[Line]:
    return [line(str(record.seq))]


def test_every_record_is_folded_and_told_in_order_before_the_view_closes() -> None:
    painter = SlowPainter()
    painter.let.set()
    with View(painter, Board(), say_seq) as view:
        view.observe(RUN[:2])
        view.observe(RUN[2:])

    assert [plain_text(one) for one in painter.drawn] == [str(record.seq) for record in RUN]
    assert view.board.total(TaskState.succeeded) == 3
    assert painter.closed


def test_a_terminal_that_does_not_read_costs_lines_and_not_time() -> None:
    painter = SlowPainter()
    with View(painter, Board(), say_seq) as view:
        view.observe(RUN[:1])
        assert painter.busy.wait(60)

        for _ in range(MAX_WAITING_LINES + 7):
            view.observe(RUN[:1])
        painter.let.set()

    assert plain_text(painter.drawn[-1]) == "7 lines dropped: the terminal did not keep up"
    assert len(painter.drawn) == 1 + MAX_WAITING_LINES + 1


def test_what_user_code_prints_is_shown_without_its_escapes() -> None:
    painter = SlowPainter()
    painter.let.set()
    with View(painter, Board(), say_seq) as view:
        view.log("\x1b[31mred\x1b[0m")
        view.log("10%\r50%\r100%\r")

    assert [plain_text(one) for one in painter.drawn] == ["red", "100%"]


def test_plain_progress_goes_to_the_notes() -> None:
    stream = Written()
    notes = Notes(stream)
    board = Board()
    with View(PlainPainter(notes), board, PlainLines(board).of) as view:
        view.observe(RUN)

    assert "etl run 7f3k" in stream.getvalue()
    assert stream.getvalue().count(" ok 1.0s") == 3


def signs_of_life(board: Board, *glances: tuple[float, bool]) -> list[float]:
    """When a sign of life is given, of glances (seconds, whether there were lines)."""
    painter = PlainPainter(Notes(Written()))
    return [
        after_s
        for after_s, fresh in glances
        for spans in painter.compose(Glance(START_S + after_s, board, None, fresh=fresh))
        if "still running" in plain_text(spans)
    ]


def test_half_a_minute_without_a_line_is_broken_by_a_sign_of_life() -> None:
    board = Board()
    for record in records(started(step("m", mapped="x")), ready(0, "m", 500), begun(0, "m", 0)):
        board.apply(record)

    assert signs_of_life(board, (0, True), (1, False), (29, False), (30, False), (31, False), (60, False)) == [30, 60]
    assert signs_of_life(board, (0, True), (29, True), (30, False), (58, False), (59, False)) == [59]


def test_where_nothing_runs_there_is_no_sign_of_life() -> None:
    assert signs_of_life(Board(), (0, True), (31, False), (90, False)) == []


def test_the_grace_is_told_at_once_at_each_halving_and_when_it_is_cut_short() -> None:
    countdown = Countdown()
    grace = Grace(until_s=10.0, reason="Ctrl-C")
    told = [plain_text(spans)[9:] for now_s in range(11) for spans in countdown.lines(grace, float(now_s))]

    assert told == [
        "stopping (Ctrl-C): 10s left for what runs; Ctrl-C again kills it",
        "stopping: 5s left for what runs; Ctrl-C again kills it",
        "stopping: 2s left for what runs; Ctrl-C again kills it",
        "stopping: 1s left for what runs; Ctrl-C again kills it",
    ]


def test_a_kill_is_told_once() -> None:
    countdown = Countdown()
    countdown.lines(Grace(10.0, "Ctrl-C"), 0.0)
    killed = Grace(1.0, "Ctrl-C", killed=True)

    assert [plain_text(one)[9:] for one in countdown.lines(killed, 1.0)] == ["killing what still runs"]
    assert countdown.lines(killed, 2.0) == []


def test_without_progress_a_signal_is_still_answered_in_words() -> None:
    stream = Written()
    with View(NoPainter(Notes(stream)), Board(), say_seq) as view:
        view.observe(RUN)
        view.stopping(Grace(1e12, "Ctrl-C"))

    assert stream.getvalue().count("\n") == 1
    assert "stopping (Ctrl-C)" in stream.getvalue()
