"""Following a run: it goes on in a loop of its own, is drawn on the side, stopped by signals, and told at the end."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from actorflow.cli.board import Board
from actorflow.cli.capture import captured_output
from actorflow.cli.complaint import Remark, complaint_lines
from actorflow.cli.exits import ExitCode, after_run
from actorflow.cli.json_text import one_line, pretty
from actorflow.cli.opened_view import chosen_progress, view_of
from actorflow.cli.options import Telling
from actorflow.cli.report import Next, report_lines, summary_line, with_output
from actorflow.cli.settings import Settings
from actorflow.cli.stopping import (
    Stopper,
    kept_terminal,
    kill_processes_below,
    leave_at_once,
    stray_threads,
    terminal_modes,
)
from actorflow.cli.streams import Notes, Result, notes_to_stderr
from actorflow.cli.suspending import suspend
from actorflow.cli.view import View
from actorflow.compose import DEFAULT_RECYCLING, RunResult, RunSettings
from actorflow.flows.plan import INLINE
from actorflow.own_loop import Backend, chosen_loop, run_in_own_loop
from actorflow.runs.control import RunControl
from actorflow.runs.events import Record, to_json
from actorflow.runs.output import OutputRecord
from actorflow.runs.output_log import Listener
from actorflow.runs.output_settings import OutputSettings
from actorflow.runs.plain_json import plain_value
from actorflow.runs.states import RunStatus
from actorflow.runs.store import SqliteStore
from actorflow.runs.store_errors import JournalFailed


class Begin(Protocol):
    """Carries a run out. recall: hears what is recorded of it already; on_records: what is from here on."""

    def __call__(
        self,
        *,
        settings: RunSettings,
        recall: Callable[[Record], None],
        on_records: Callable[[Sequence[Record]], None],
        control: RunControl,
    ) -> Awaitable[RunResult[Any]]: ...


def beginning(new_run: Callable[..., Awaitable[RunResult[Any]]]) -> Begin:
    """`new_run`, which has no past to recall."""

    def begin(*, recall: Callable[[Record], None], **given: object) -> Awaitable[RunResult[Any]]:
        return new_run(**given)

    return begin


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """A run about to begin, or to go on, and how it is to be told."""

    begin: Begin
    settings: Settings
    target: str
    store_named: str | None
    backend: Backend
    telling: Telling
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


def follow(run: Followed, result: Result) -> int:
    """Carry the run out and tell of it. Returns the exit code, with nothing of the run alive any more."""
    # What the runtime logs of a dying worker the run tells in its own words; a file that configures logging sees both.
    logging.getLogger("actorflow").addHandler(logging.NullHandler())
    notes = notes_to_stderr()
    board = Board()
    control = RunControl()
    with ExitStack() as stack:
        stack.enter_context(kept_terminal())
        leave = _leaving()  # before what is printed is captured: it speaks to the terminal itself
        progress = chosen_progress(
            run.telling, os.environ, otherwise="plain" if run.settings.executor == INLINE else None
        )  # `inline` is for debuggers, which need the terminal for themselves
        view = view_of(progress, board, stack)
        if progress == "live":  # what is printed goes above it
            stack.enter_context(captured_output(view.log))
        stopper = Stopper(
            control,
            loop=chosen_loop(run.backend),
            grace_s=run.settings.grace_s,
            tell=view.stopping,
            kill_processes=kill_processes_below,
            leave=leave,
            suspend=partial(suspend, view) if progress == "live" else None,
        )
        stack.enter_context(stopper.answering())
        hear = unheard if progress == "none" else view.output
        outcome = _carried_out(run, control, view, _observer(run, view, result), hear)
    _tell_the_end(run, board, outcome, notes, result)
    code = after_run(outcome.status, stopper.first)
    if result.is_lost:
        notes.insist(complaint_lines((_lost(result, outcome.run_id),)))
        code = code or ExitCode.failed
    if stopper.first is not None and stray_threads():
        # An abandoned thread of a cancelled task must not keep the command from ending.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def _carried_out(
    run: Followed, control: RunControl, view: View, observe: Callable[[Sequence[Record]], None], hear: Listener
) -> RunResult[object]:
    watch = None
    if run.settings.trace:
        from actorflow.cli.tracing import told_telemetry

        watch = told_telemetry(notes_to_stderr(), quiet=run.telling.quiet or run.telling.as_json)
    settings = RunSettings(
        store=run.settings.store,
        workers=run.settings.workers,
        executor=run.settings.executor,
        recycling=run.settings.recycling or DEFAULT_RECYCLING,
        telemetry=watch,
        output=OutputSettings(listener=hear, capture_prints=True),
        grace_s=run.settings.grace_s,
        tags=run.tags,
        on_blocked=partial(_tell_room, view),
    )

    async def main() -> RunResult[object]:
        return await run.begin(settings=settings, recall=view.recall, on_records=observe, control=control)

    return run_in_own_loop(main, backend=run.backend)


def _tell_room(view: View, error: JournalFailed | None) -> None:
    """Nothing starts while the disk is full, which looks like a run that hangs unless it is said."""
    view.log("store: there is room again, the run goes on" if error is None else f"store full: nothing starts; {error}")


def unheard(records: Sequence[OutputRecord]) -> None:
    """What tasks print is kept in the log of the run and shown nowhere."""


def _observer(run: Followed, view: View, result: Result) -> Callable[[Sequence[Record]], None]:
    if not run.telling.as_json:
        return view.observe

    def observe(records: Sequence[Record]) -> None:
        result.write_lines(one_line(to_json(record)) for record in records)
        view.observe(records)

    return observe


def _tell_the_end(run: Followed, board: Board, outcome: RunResult[object], notes: Notes, result: Result) -> None:
    if run.telling.as_json:
        return
    next_ = Next(
        target=run.target, folder=os.getcwd(), store=run.store_named or "", full_traceback=run.telling.full_traceback
    )
    if outcome.status is not RunStatus.succeeded:
        next_ = with_output(next_, board, SqliteStore(run.settings.store).open_run(outcome.run_id))
    tells_all = not run.telling.quiet or bool(board.failures) or board.error is not None
    notes.insist(report_lines(board, next_) if tells_all else [summary_line(board)])
    if outcome.status is RunStatus.succeeded and outcome.encoded is not None:
        result.write_line(pretty(plain_value(outcome.encoded)))


def _lost(result: Result, run_id: str) -> Remark:
    help = f"it is in the journal: actorflow show {run_id} --json"
    return Remark(message=f"the result could not be written: {result.problem}", help=help)


def _leaving() -> Callable[[int], None]:
    """The last resort, with what it needs taken down while all is well."""
    modes = terminal_modes()
    kept = os.dup(2)

    def say(text: str) -> None:
        show_cursor = "\x1b[?25h" if os.isatty(kept) else ""
        os.write(kept, f"{show_cursor}{text}\n".encode())

    return lambda code: leave_at_once(code, modes=modes, say=say)
