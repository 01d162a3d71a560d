"""Which view a run is drawn in, and that view, with what it draws on."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from actorflow.cli.board import Board
from actorflow.cli.capture import terminal_of
from actorflow.cli.options import Progress, Telling
from actorflow.cli.painters import NoPainter, PlainPainter
from actorflow.cli.plain import PlainLines, TroubleLines
from actorflow.cli.spans import Line
from actorflow.cli.streams import notes_to_stderr, wants_color, wants_live
from actorflow.cli.view import Painter, View
from actorflow.runs.events import Record


def chosen_progress(telling: Telling, environment: Mapping[str, str], *, otherwise: Progress | None = None) -> Progress:
    """live, plain or none. otherwise: what auto is where it is not silent; None: live in a terminal that can."""
    if telling.progress != "auto":
        return telling.progress
    if telling.as_json or telling.quiet:
        return "none"
    return otherwise or ("live" if wants_live(sys.stderr, environment) else "plain")


def view_of(progress: Progress, board: Board, stack: ExitStack) -> View:
    """A view that draws on stderr from here on, until `stack` ends."""
    notes = notes_to_stderr()
    if progress == "live":
        from actorflow.cli.live import LivePainter

        terminal = stack.enter_context(terminal_of(2))
        painter: Painter = LivePainter(terminal, color=wants_color(sys.stderr, os.environ))
        return stack.enter_context(View(painter, board, TroubleLines(board).of))
    if progress == "plain":
        return stack.enter_context(View(PlainPainter(notes), board, PlainLines(board).of))
    return stack.enter_context(View(NoPainter(notes), board, _nothing))


def _nothing(record: Record) -> Sequence[Line]:
    return ()
