"""How a view is drawn: not at all, as lines, or as a live region at the bottom of a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from actorflow.cli.plain import heartbeat_line
from actorflow.cli.screen import screen_lines
from actorflow.cli.spans import Line, Tone, harmless, line, warn
from actorflow.cli.streams import Notes
from actorflow.cli.view import Glance, Grace
from actorflow.cli.words import clock

if TYPE_CHECKING:
    from rich.text import Text

SILENCE_S = 30.0
LIVE_GAP_S = 0.1
CLOCK_S = 1.0

_STYLES = {
    Tone.plain: "",
    Tone.strong: "bold",
    Tone.dim: "dim",
    Tone.ok: "green",
    Tone.bad: "bold red",
    Tone.warn: "yellow",
    Tone.active: "cyan",
}


class NoPainter:
    """--progress none: the board is kept for the report, nothing is drawn; a signal is still answered in words."""

    gap_s = 0.0

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._countdown = Countdown()

    def idle_s(self, grace: Grace | None) -> float:
        return CLOCK_S if grace is not None else SILENCE_S

    def compose(self, glance: Glance) -> list[Line]:
        return self._countdown.lines(glance.grace, glance.now_s)

    def draw(self, lines: Sequence[Line], composed: Sequence[Line]) -> None:
        self._notes.insist(composed)

    def close(self) -> None:
        """Nothing is held."""


class PlainPainter(NoPainter):
    """Lines as they come, a sign of life after half a minute of silence."""

    def compose(self, glance: Glance) -> list[Line]:
        told = super().compose(glance)
        if told or glance.fresh or glance.grace is not None or not glance.board.running:
            return told
        return [heartbeat_line(glance.board, glance.now_s)]

    def draw(self, lines: Sequence[Line], composed: Sequence[Line]) -> None:
        self._notes.insist([*lines, *composed])


class Countdown:
    """The grace of a cancelled run, told at once, at each halving of what is left, and when it is cut short."""

    def __init__(self) -> None:
        self._next_s = math.inf
        self._killed = False

    def lines(self, grace: Grace | None, now_s: float) -> list[Line]:
        """What has to be told now; often nothing."""
        if grace is None or self._killed:
            return []
        if grace.killed:
            self._killed = True
            return [line(clock(now_s), " ", warn("killing"), " what still runs")]
        left_s = max(round(grace.until_s - now_s), 0)
        if left_s > self._next_s or left_s == 0:
            return []
        first = math.isinf(self._next_s)
        self._next_s = left_s // 2
        why = f" ({grace.reason})" if first else ""
        return [
            line(clock(now_s), " ", warn("stopping"), f"{why}: {left_s}s left for what runs; Ctrl-C again kills it")
        ]


class LivePainter:
    """The live region, drawn with rich on the terminal `stream`; lines scroll above it."""

    gap_s = LIVE_GAP_S

    def __init__(self, stream: TextIO, *, color: bool) -> None:
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        self._text = Text
        self._console = Console(
            file=stream,
            force_terminal=True,
            no_color=not color,
            highlight=False,
            markup=False,
            emoji=False,
            soft_wrap=False,
        )
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        self._live.start()

    def idle_s(self, grace: Grace | None) -> float:
        return CLOCK_S

    def compose(self, glance: Glance) -> list[Line]:
        width, height = self._console.size
        left_s = None if glance.grace is None else glance.grace.until_s - glance.now_s
        return screen_lines(glance.board, now_s=glance.now_s, width=width, height=height - 1, grace_left_s=left_s)

    def draw(self, lines: Sequence[Line], composed: Sequence[Line]) -> None:
        for spans in lines:
            self._console.print(self._rich(spans), soft_wrap=True)
        region = self._text("\n").join([self._rich(spans) for spans in composed])
        region.no_wrap, region.overflow = True, "crop"
        self._live.update(region, refresh=True)

    def close(self) -> None:
        """Leave the last picture standing and show the cursor again."""
        self._live.stop()

    def _rich(self, spans: Line) -> Text:
        return self._text.assemble(*[(harmless(span.text), _STYLES[span.tone]) for span in spans])
