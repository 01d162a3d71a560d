"""A timeline in a terminal: a line for each step, waiting hatched, running solid, the critical path marked. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from actorflow.cli.plain import state_span
from actorflow.cli.spans import Line, Span, Tone, active, dim, line, strong
from actorflow.cli.timeline_model import FAILED, INTERRUPTED, RUNNING, Bar, Lane, Timeline
from actorflow.cli.words import duration, number, shorten
from actorflow.runs.states import RunStatus, TaskState

MIN_BARS = 20
MAX_LABEL = 32
_TICKS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400)


@dataclass(frozen=True, slots=True)
class Glyphs:
    """What bars are drawn with."""

    waiting: str
    running: str
    critical: str
    failed: str = "x"
    mark: str = "*"


UNICODE = Glyphs(waiting="░", running="█", critical="▓")
ASCII = Glyphs(waiting=".", running="#", critical="=")


def glyphs_for(encoding: str | None) -> Glyphs:
    """Blocks where they can be written, else ASCII."""
    try:
        "".join((UNICODE.waiting, UNICODE.running, UNICODE.critical)).encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return UNICODE


def timeline_lines(shown: Timeline, *, width: int, glyphs: Glyphs = UNICODE) -> list[Line]:
    """The whole page, no line wider than `width` unless that is too narrow for anything."""
    names = min(max((len(_name(lane)) for lane in shown.lanes), default=0), MAX_LABEL)
    left = 2 + 10 + names + 2 + 7 + 2
    bars = max(width - left, MIN_BARS)
    tone = active if shown.status is RunStatus.running else strong
    lines = [
        line("run ", strong(shown.run_id), f"  {shown.dag} ", tone(shown.status.value), f" {duration(shown.seconds)}"),
        (),
        line(" " * left, dim(_axis(shown.seconds, bars))),
    ]
    lines += [_lane_line(lane, shown, names, bars, glyphs) for lane in shown.lanes]
    lines += [(), *_footer(shown, width, glyphs)]
    return lines


def _lane_line(lane: Lane, shown: Timeline, names: int, bars: int, glyphs: Glyphs) -> Line:
    mark = strong(f"{glyphs.mark} ") if lane.critical else Span("  ")
    word = state_word(lane.state)
    took = duration(lane.bars[-1].ended_s - lane.bars[0].started_s) if lane.bars else ""
    name = shorten(_name(lane), names)
    head: list[str | Span] = [mark, word, " " * max(10 - len(word.text), 1), f"{name:<{names}}  {took:>7}  "]
    return line(*head, *cells(lane, shown, bars, glyphs))


def cells(lane: Lane, shown: Timeline, width: int, glyphs: Glyphs) -> list[Span]:
    """The bars of a lane as text of at most `width` characters; whatever happened takes at least one."""
    drawn: list[tuple[str, Tone]] = [(" ", Tone.plain)] * width
    for bar in lane.bars:
        _paint(drawn, shown, bar.since_s, bar.started_s, glyphs.waiting, Tone.dim)
        _paint(drawn, shown, bar.started_s, bar.ended_s, glyphs.running, _bar_tone(bar, lane), at_least=1)
        if bar.state in (FAILED, INTERRUPTED) and lane.width is None:
            drawn[_column(shown, bar.ended_s, width, last=True)] = (glyphs.failed, Tone.bad)
    if lane.critical_bar is not None:
        bar = lane.critical_bar
        _paint(drawn, shown, bar.started_s, bar.ended_s, glyphs.critical, Tone.active, at_least=1)
    groups = groupby(drawn, key=lambda cell: cell[1])
    return [Span("".join(text for text, _ in group), tone) for tone, group in groups]


def _paint(
    drawn: list[tuple[str, Tone]],
    shown: Timeline,
    from_s: float,
    to_s: float,
    glyph: str,
    tone: Tone,
    *,
    at_least: int = 0,
) -> None:
    first, last = _column(shown, from_s, len(drawn)), _column(shown, to_s, len(drawn), last=True)
    count = max(last - first + 1 if to_s > from_s else 0, at_least)
    for column in range(first, min(first + count, len(drawn))):
        drawn[column] = (glyph, tone)


def _column(shown: Timeline, at_s: float, width: int, *, last: bool = False) -> int:
    """Where a time stands; with `last`, the column that ends there."""
    share = (at_s - shown.started_s) / shown.seconds if shown.seconds else 0.0
    exact = min(max(share, 0.0), 1.0) * width
    column = -int(-exact // 1) - 1 if last else int(exact)
    return min(max(column, 0), width - 1)


def _bar_tone(bar: Bar, lane: Lane) -> Tone:
    if bar.state in (FAILED, INTERRUPTED) and lane.width is None:
        return Tone.bad
    if bar.state == RUNNING:
        return Tone.active
    return Tone.active if lane.critical and lane.critical_bar is None else Tone.ok


def state_word(state: str) -> Span:
    """The word that `show` has for it."""
    return state_span(TaskState(state)) if state in TaskState._value2member_map_ else dim(state)


def _name(lane: Lane) -> str:
    if lane.width is None:
        return lane.label
    failed = f", {number(lane.counts[FAILED])} failed" if lane.counts[FAILED] else ""
    return f"{lane.label} {number(lane.width)}{failed}"


def _axis(seconds: float, width: int) -> str:
    """Ticks with their times, as many as can be read."""
    text = [" "] * width
    room = max(width // 10, 1)
    step = next((one for one in _TICKS_S if seconds / one <= room), _TICKS_S[-1])
    ticks = [n * step for n in range(int(seconds // step) + 1)] if seconds >= 1 else [0]
    free_from = 0
    for at_s in ticks:
        column = round(at_s / seconds * width) if seconds else 0
        word = f"|{duration(at_s) if at_s else '0s'}"
        if column >= free_from and column + len(word) <= width:
            text[column : column + len(word)] = word
            free_from = column + len(word) + 1
    end = f"{duration(seconds)}|"
    if free_from + len(end) <= width and seconds < 1:
        text[width - len(end) :] = end
    return "".join(text)


def _footer(shown: Timeline, width: int, glyphs: Glyphs) -> Sequence[Line]:
    legend = f"{glyphs.waiting} waiting  {glyphs.running} running  {glyphs.failed} failed or cut off"
    lines = [line(dim(legend))]
    if not shown.path:
        return lines
    marked = f"{glyphs.mark} critical path"
    if any(lane.critical_bar is not None for lane in shown.lanes):
        marked += f" ({glyphs.critical} its instance of a map)"
    took = f", {duration(shown.path_s)} of {duration(shown.seconds)}"
    room = width - len(marked) - len(took) - 2
    return [*lines, line(strong(marked), ": ", shorten(" > ".join(shown.path), max(room, 20)), took)]
