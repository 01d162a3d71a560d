"""Text with a tone for each part, so that one rendering serves a terminal, a pipe and a test."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Tone(StrEnum):
    """What a part of a line means; never the only sign of it, words come first."""

    plain = "plain"
    strong = "strong"
    dim = "dim"
    ok = "ok"
    bad = "bad"
    warn = "warn"
    active = "active"


_SGR = {
    Tone.strong: "1",
    Tone.dim: "2",
    Tone.ok: "32",
    Tone.bad: "1;31",
    Tone.warn: "33",
    Tone.active: "36",
}


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of one line."""

    text: str
    tone: Tone = Tone.plain


Line = tuple[Span, ...]


def line(*parts: str | Span) -> Line:
    """A line of plain strings and spans, in order."""
    return tuple(Span(part) if isinstance(part, str) else part for part in parts)


def strong(text: str) -> Span:
    return Span(text, Tone.strong)


def dim(text: str) -> Span:
    return Span(text, Tone.dim)


def ok(text: str) -> Span:
    return Span(text, Tone.ok)


def bad(text: str) -> Span:
    return Span(text, Tone.bad)


def warn(text: str) -> Span:
    return Span(text, Tone.warn)


def active(text: str) -> Span:
    return Span(text, Tone.active)


def harmless(text: str) -> str:
    """`text` with every control character spelled out: a user's message cannot move the cursor or break the line."""
    text = text.expandtabs(4)
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def plain_text(spans: Line) -> str:
    """The line without colour and without trailing blanks."""
    return "".join(harmless(span.text) for span in spans).rstrip()


def ansi_text(spans: Line) -> str:
    """The line with SGR escapes around each toned span."""
    return "".join(_painted(span) for span in spans).rstrip()


def rendered(lines: Iterable[Line], *, color: bool) -> str:
    """Whole lines, each ended by a newline; "" for none."""
    paint = ansi_text if color else plain_text
    return "".join(f"{paint(spans)}\n" for spans in lines)


def _painted(span: Span) -> str:
    text = harmless(span.text)
    code = _SGR.get(span.tone)
    return text if code is None or not text.strip() else f"\x1b[{code}m{text}\x1b[0m"
