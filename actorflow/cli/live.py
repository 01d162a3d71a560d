"""The live region at the bottom of a terminal, drawn with rich; imported only where there is such a terminal."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from actorflow.cli.painters import CLOCK_S
from actorflow.cli.screen import screen_lines
from actorflow.cli.spans import Line, Tone, harmless
from actorflow.cli.view import Glance, Grace

LIVE_GAP_S = 0.1

_STYLES = {
    Tone.plain: "",
    Tone.strong: "bold",
    Tone.dim: "dim",
    Tone.ok: "green",
    Tone.bad: "bold red",
    Tone.warn: "yellow",
    Tone.active: "cyan",
}


class LivePainter:
    """The live region, drawn with rich on the terminal `stream`; lines scroll above it.

    Once the terminal is gone nothing is drawn any more: there is nobody to see it, and the run goes on.
    """

    gap_s = LIVE_GAP_S

    def __init__(self, stream: TextIO, *, color: bool) -> None:
        self._console = Console(
            file=stream,
            force_terminal=True,
            no_color=not color,
            highlight=False,
            markup=False,
            emoji=False,
            soft_wrap=False,
        )
        self._drawing = threading.Lock()
        self._is_gone = False
        self._live = self._started()

    def _started(self) -> Live:
        live = Live(
            console=self._console,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        live.start()
        return live

    def idle_s(self, grace: Grace | None) -> float:
        return CLOCK_S

    def compose(self, glance: Glance) -> list[Line]:
        width, height = self._console.size
        left_s = None if glance.grace is None else glance.grace.until_s - glance.now_s
        return screen_lines(glance.board, now_s=glance.now_s, width=width, height=height - 1, grace_left_s=left_s)

    def draw(self, lines: Sequence[Line], composed: Sequence[Line]) -> None:
        with self._drawing:
            if self._is_gone:
                return
            try:
                self._draw(lines, composed)
            except OSError:
                self._is_gone = True

    def _draw(self, lines: Sequence[Line], composed: Sequence[Line]) -> None:
        for spans in lines:
            self._console.print(_rich(spans), soft_wrap=True)
        region = Text("\n").join([_rich(spans) for spans in composed])
        region.no_wrap, region.overflow = True, "crop"
        self._live.update(region, refresh=True)

    @contextmanager
    def given_back(self) -> Generator[None]:
        """Inside, the last picture stands and the cursor is shown; the next one is drawn below what came meanwhile."""
        with self._drawing:
            self.close()
            yield
            if not self._is_gone:
                with suppress(OSError):
                    self._live = self._started()

    def close(self) -> None:
        """Leave the last picture standing and show the cursor again."""
        if not self._is_gone:
            with suppress(OSError):
                self._live.stop()


def _rich(spans: Line) -> Text:
    return Text.assemble(*[(harmless(span.text), _STYLES[span.tone]) for span in spans])
