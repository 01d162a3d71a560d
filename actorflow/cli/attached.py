"""Attached: a run of another process, drawn from its journal as `run` draws its own, and told at its end."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import anyio

from actorflow.cli.board import Board
from actorflow.cli.exits import ExitCode, after_run
from actorflow.cli.failure import short_path
from actorflow.cli.json_text import one_line, pretty
from actorflow.cli.news import follow_news, journal_question, output_question
from actorflow.cli.opened_view import chosen_progress, view_of
from actorflow.cli.options import Telling
from actorflow.cli.report import Next, report_lines, summary_line, with_output
from actorflow.cli.spans import line, strong
from actorflow.cli.streams import Result, notes_to_stderr
from actorflow.cli.suspending import suspending
from actorflow.cli.view import View
from actorflow.runs.events import Record, RunFinished, RunResumed, RunStarted, to_json
from actorflow.runs.plain_json import plain_value
from actorflow.runs.states import TERMINAL_RUN_STATUSES, RunStatus
from actorflow.runs.stored_run import StoredRun
from actorflow.runs.values import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """How a run is to be followed. first: seq of the event to begin with."""

    first: int
    store_named: str | None
    telling: Telling


def attach(stored: StoredRun, asked: Attached, result: Result) -> int:
    """Follow a run until nobody owns it any more, and tell how it ended. Returns its exit code, or 130 after Ctrl-C."""
    board = Board(run_id=stored.run_id)
    with ExitStack() as stack:
        progress = chosen_progress(asked.telling, os.environ)
        view = view_of(progress, board, stack)
        if progress == "live":
            stack.enter_context(suspending(view))
        reader = _Reader(asked, view, result)
        try:
            questions = [journal_question(lambda: reader.next_seq), *([output_question()] if reader.prints else [])]
            anyio.run(follow_news, stored, partial(reader.print_new, stored), questions)
        except KeyboardInterrupt:
            left = True
        else:
            left = False
    if left:
        notes_to_stderr().insist([line("run ", strong(stored.run_id), " goes on without you")])
        return ExitCode.interrupted
    if board.status not in TERMINAL_RUN_STATUSES:
        board.interrupted(reader.last_s)
    if not asked.telling.as_json:
        _tell_the_end(stored, board, reader, asked, result)
    return after_run(board.status, None)


class _Reader:
    """Hands every record to the view once; those before the first that is wanted only fill the board."""

    def __init__(self, asked: Attached, view: View, result: Result) -> None:
        self.next_seq = 1
        self.file = ""
        self.last_s: float | None = None
        self.value: Value | None = None
        self._asked = asked
        self._view = view
        self._result = result
        self.prints = asked.first == 1 and not asked.telling.quiet and not asked.telling.as_json

    def print_new(self, stored: StoredRun) -> None:
        fresh: list[Record] = []
        for record in stored.records(self.next_seq):
            self.next_seq, self.last_s = record.seq + 1, record.ts
            self._note(record)
            if record.seq < self._asked.first:
                self._view.recall(record)
            else:
                fresh.append(record)
        if self._asked.telling.as_json:
            self._result.write_lines(one_line(to_json(record)) for record in fresh)
        if fresh:
            self._view.observe(fresh)
        if self.prints:
            self._view.output(list(stored.output_records()))

    def _note(self, record: Record) -> None:
        match record.event:
            case RunStarted(file=file):
                self.file = file
            case RunFinished(result=value):
                self.value = value
            case RunResumed(taken_up=True):
                self.value = None
            case _:
                pass


def _tell_the_end(stored: StoredRun, board: Board, reader: _Reader, asked: Attached, result: Result) -> None:
    folder = os.getcwd()
    next_ = Next(
        target=f"{short_path(reader.file, folder)}:{board.dag}",
        folder=folder,
        store=asked.store_named or "",
        full_traceback=asked.telling.full_traceback,
    )
    if board.status is not RunStatus.succeeded:
        next_ = with_output(next_, board, stored)
    told = [summary_line(board)] if asked.telling.quiet and not board.failures else report_lines(board, next_)
    notes_to_stderr().insist(told)
    if board.status is RunStatus.succeeded and reader.value is not None:
        result.write_line(pretty(plain_value(reader.value)))
