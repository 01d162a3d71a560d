"""From bytes that a process printed to lines of text: cut at line ends, bounded in length, never refused.

Of a line that is drawn over itself by carriage returns, as progress bars are, the last state is the line.

A record of `logging` travels among the bytes of standard error, as a line of its own behind `MARK`, so that it keeps
its place among what is printed and outlives its process as that does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from actorflow.runs.output import LogFields

MAX_LINE_BYTES: Final = 16 * 1024
"""A longer line is cut into several."""

MARK: Final = b"\x1e\x1factorflow "
"""What stands before a record of `logging`. Separators that no text uses, and no JSON holds unescaped."""

_MARK_TEXT: Final = MARK.decode("ascii")


class LineCutter:
    """Gives back whole lines; what has no end yet waits for it."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """The whole lines that are there now, ends included; often nothing."""
        end = data.rfind(b"\n") + 1
        if not end:
            self._rest += data
            return self._overlong()
        whole = self._rest + data[:end] if self._rest else data[:end]
        self._rest = data[end:]
        return whole + self._overlong()

    def end(self) -> bytes:
        """What is left, as a line."""
        rest, self._rest = self._rest, b""
        return rest and rest + b"\n"

    def _overlong(self) -> bytes:
        cut = b""
        if len(self._rest) > MAX_LINE_BYTES and b"\r" in self._rest:
            end = b"\r" if self._rest.endswith(b"\r") else b""  # what follows is drawn over this
            self._rest = _last_state(self._rest) + end
        while len(self._rest) > MAX_LINE_BYTES:
            at = _boundary(self._rest, MAX_LINE_BYTES)
            cut += self._rest[:at] + b"\n"
            self._rest = self._rest[at:]
        return cut


def texts_of(whole: bytes) -> Iterator[tuple[tuple[str, ...], LogFields | None]]:
    """Whole lines as text, in order; each record of `logging` by itself, with its fields."""
    if MARK not in whole:
        yield _lines(whole), None
        return
    printed: list[str] = []
    for line in _lines(whole):
        before, mark, data = line.partition(_MARK_TEXT)
        logged = _logged(data) if mark else None
        if logged is None:
            printed.append(line)
            continue
        if before:
            printed.append(before)
        if printed:
            yield tuple(printed), None
            printed = []
        yield logged
    if printed:
        yield tuple(printed), None


def marked(text: str, fields: LogFields) -> bytes:
    """A record of `logging` as one line of standard error."""
    plain = [fields.level, fields.logger, fields.extra, text]
    return MARK + json.dumps(plain, separators=(",", ":")).encode("ascii") + b"\n"


def _logged(data: str) -> tuple[tuple[str, ...], LogFields] | None:
    try:
        level, logger, extra, text = json.loads(data)
        fields = LogFields(str(level), str(logger), dict[str, Any](extra))
        return tuple(str(text).split("\n")), fields
    except (ValueError, TypeError):
        return None  # somebody wrote into the midst of it


def _lines(whole: bytes) -> tuple[str, ...]:
    if b"\r" in whole:
        whole = b"\n".join(map(_last_state, whole.split(b"\n")))
    lines = whole.decode("utf-8", "replace").removesuffix("\n").split("\n")
    if max(map(len, lines)) > MAX_LINE_BYTES:
        return tuple(piece for line in lines for piece in _pieces(line))
    return tuple(lines)


def _last_state(line: bytes) -> bytes:
    return line.rstrip(b"\r").rpartition(b"\r")[2]


def _pieces(line: str) -> list[str]:
    return [line[at : at + MAX_LINE_BYTES] for at in range(0, len(line) or 1, MAX_LINE_BYTES)]


def _boundary(data: bytes, at: int) -> int:
    """Where to cut `data` near `at` so that no character is cut in two."""
    for back in range(4):
        if data[at - back] & 0xC0 != 0x80:
            return at - back
    return at
