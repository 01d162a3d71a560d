"""A timeline as one self-contained SVG: no script, no font, nothing from outside; light and dark. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from actorflow.cli.timeline_model import FAILED, INTERRUPTED, Bar, Lane, Timeline
from actorflow.cli.words import duration, number, shorten

WIDTH = 1000
LABELS = 230
MARGIN = 20
TOP = 64
ROW = 26
BAR = 14
MIN_BAR = 1.5
MAX_LABEL_CHARS = 30
_TICKS = 8
_NICE = (1.0, 2.0, 5.0, 10.0)

_STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #1f2328; }
  .title { font-size: 15px; font-weight: 600; }
  .dim { fill: #656d76; }
  .back { fill: #ffffff; }
  .grid { stroke: #d0d7de; stroke-width: 1; }
  .run { fill: #2f81c9; }
  .critical { fill: #d9730d; }
  .failed { fill: #c0392b; }
  .wait { fill: url(#hatched); stroke: #8c959f; stroke-width: .5; }
  .hatch { stroke: #8c959f; stroke-width: 1.5; }
  .on-path { font-weight: 600; }
  .edge { fill: none; stroke: #d9730d; stroke-width: 2; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .dim { fill: #9198a1; }
    .back { fill: #0d1117; }
    .grid { stroke: #30363d; }
    .run { fill: #58a6ff; }
    .critical { fill: #f0883e; }
    .failed { fill: #f85149; }
    .edge { stroke: #f0883e; }
  }
"""


def timeline_svg(shown: Timeline) -> str:
    """The document, ended by a newline."""
    height = TOP + ROW * len(shown.lanes) + 56
    head = f"run {shown.run_id} of {shown.dag}: {shown.status.value}, {duration(shown.seconds)}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
        ' role="img" aria-labelledby="title desc">',
        f'<title id="title">{escape(head)}</title>',
        f'<desc id="desc">{escape(_description(shown))}</desc>',
        f"<style>{_STYLE}</style>",
        '<defs><pattern id="hatched" width="5" height="5" patternUnits="userSpaceOnUse"'
        ' patternTransform="rotate(45)"><line class="hatch" x1="0" y1="0" x2="0" y2="5"/></pattern></defs>',
        f'<rect class="back" width="{WIDTH}" height="{height}"/>',
        f'<text class="title" x="{MARGIN}" y="28">{escape(head)}</text>',
        *_grid(shown, height),
    ]
    for number_, lane in enumerate(shown.lanes):
        parts += _lane(lane, shown, TOP + ROW * number_)
    parts += _legend(shown, height - 24)
    return "\n".join([*parts, "</svg>"]) + "\n"


def x_of(at_s: float, shown: Timeline) -> float:
    """Where a time stands, between the labels and the right margin."""
    share = (at_s - shown.started_s) / shown.seconds if shown.seconds else 0.0
    return LABELS + min(max(share, 0.0), 1.0) * (WIDTH - MARGIN - LABELS)


def ticks_s(seconds: float) -> list[float]:
    """Round times from 0 to the end, at most about eight."""
    if seconds < 1e-6:
        return [0.0]
    rough = seconds / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((nice * power for nice in _NICE if nice * power >= rough), 10 * power)
    return [n * step for n in range(int(seconds / step) + 1)]


def _grid(shown: Timeline, height: int) -> Iterator[str]:
    for at_s in ticks_s(shown.seconds):
        x = x_of(shown.started_s + at_s, shown)
        yield f'<line class="grid" x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{height - 48}"/>'
        word = escape(duration(at_s)) if at_s else "0s"
        yield f'<text class="dim" x="{x:.1f}" y="{TOP - 14}" text-anchor="middle">{word}</text>'


def _lane(lane: Lane, shown: Timeline, y: int) -> Iterator[str]:
    name = lane.label if lane.width is None else f"{lane.label} {number(lane.width)}"
    css = "on-path" if lane.critical else ""
    text_y = y + ROW / 2 + 4
    yield f'<g class="lane"><title>{escape(_lane_title(lane))}</title>'
    yield f'<text class="{css}" x="{MARGIN}" y="{text_y:.1f}">{escape(shorten(name, MAX_LABEL_CHARS))}</text>'
    if not lane.bars:
        yield f'<text class="dim" x="{LABELS}" y="{text_y:.1f}">{escape(lane.state.replace("_", " "))}</text>'
    for bar in lane.bars:
        yield from _bar(bar, _css(bar, lane), shown, y)
    if lane.critical_bar is not None:
        at = lane.critical_bar
        yield _rect(at.started_s, at.ended_s, "critical", shown, y, "on the critical path")
    yield "</g>"


def _bar(bar: Bar, css: str, shown: Timeline, y: int) -> Iterator[str]:
    which = "" if bar.attempt is None else f"attempt {bar.attempt}: "
    if bar.started_s > bar.since_s:
        waited = f"{which}waited {duration(bar.started_s - bar.since_s)}"
        yield _rect(bar.since_s, bar.started_s, "wait", shown, y, waited)
    ran = f"{which}{bar.state.replace('_', ' ')}, ran {duration(bar.ended_s - bar.started_s)}"
    yield _rect(bar.started_s, bar.ended_s, css, shown, y, ran)


def _rect(from_s: float, to_s: float, css: str, shown: Timeline, y: int, title: str) -> str:
    x = x_of(from_s, shown)
    width = min(max(x_of(to_s, shown) - x, MIN_BAR), WIDTH - x)
    top = y + (ROW - BAR) / 2
    return (
        f'<rect class="{css}" x="{x:.2f}" y="{top:.1f}" width="{width:.2f}" height="{BAR}" rx="2">'
        f"<title>{escape(title)}</title></rect>"
    )


def _css(bar: Bar, lane: Lane) -> str:
    if bar.state in (FAILED, INTERRUPTED) and lane.width is None:
        return "failed"
    return "critical" if lane.critical and lane.critical_bar is None else "run"


def _lane_title(lane: Lane) -> str:
    counted = ", ".join(f"{number(count)} {state.replace('_', ' ')}" for state, count in lane.counts.items() if count)
    words = [lane.label, counted if lane.width is not None and counted else lane.state.replace("_", " ")]
    return ": ".join(words) + (", on the critical path" if lane.critical else "")


def _legend(shown: Timeline, y: int) -> Iterator[str]:
    x: float = MARGIN
    for css, word in (("wait", "waiting"), ("run", "running"), ("critical", "critical path"), ("failed", "failed")):
        yield f'<rect class="{css}" x="{x:.1f}" y="{y - 11}" width="22" height="{BAR}" rx="2"/>'
        yield f'<text x="{x + 28:.1f}" y="{y}">{word}</text>'
        x += 28 + 7.2 * len(word) + 24
    if shown.path:
        path = f"{shorten(' > '.join(shown.path), 60)}, {duration(shown.path_s)} of {duration(shown.seconds)}"
        yield f'<text class="dim" x="{WIDTH - MARGIN}" y="{y}" text-anchor="end">{escape(path)}</text>'


def _description(shown: Timeline) -> str:
    lanes: Sequence[str] = [_lane_title(lane) for lane in shown.lanes[:200]]
    return f"{'; '.join(lanes)}. Critical path: {' > '.join(shown.path) or 'none'}."
