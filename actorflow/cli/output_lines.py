"""What tasks print, as lines for a person: whose each line is, then the text, with nothing in it that moves a cursor.

Pure: records in, lines out. Control characters that are left after this are spelled out where lines are rendered.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from actorflow.cli.spans import Line, Span, bad, dim, line, warn
from actorflow.cli.words import clock, number
from actorflow.runs.output import Origin, OutputRecord, Stream

_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[@-_])")
_CSI_OF_8_BITS = re.compile(r"\x9b[0-?]*[ -/]*[@-~]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which records are asked for; None, or nothing, means any. level: of `logging`, and then only its records.

    since_s: epoch seconds.
    """

    task: str | None = None
    map_index: int | None = None
    attempt: int | None = None
    streams: frozenset[Stream] = frozenset()
    level: int | None = None
    since_s: float | None = None

    def admits(self, record: OutputRecord) -> bool:
        """A gap is shown whatever the stream: some of what is asked for may be missing there."""
        origin = record.origin
        if self.task is not None and origin.task != self.task:
            return False
        if self.map_index is not None and origin.map_index != self.map_index:
            return False
        if self.attempt is not None and origin.attempt != self.attempt:
            return False
        if self.since_s is not None and record.ts < self.since_s:
            return False
        if record.stream is None:
            return True
        if self.level is not None and (record.fields is None or level_number(record.fields.level) < self.level):
            return False
        return not self.streams or record.stream in self.streams


def output_lines(record: OutputRecord, *, with_clock: bool = False) -> list[Line]:
    """`load[3] | text`, a line for each line printed; a gap tells how many lines are missing."""
    head: list[Span] = [dim(f"{clock(record.ts)} ")] if with_clock else []
    head.append(dim(f"{record.origin.label or 'run'} | "))
    if record.stream is None:
        return [line(*head, warn(f"... {number(record.dropped)} lines dropped ..."))]
    level = _level(record)
    return [line(*head, *level, quiet_text(text)) for text in record.lines]


def quiet_text(text: str) -> str:
    """`text` without colours and other sequences for a terminal; of a line drawn over itself, the last state."""
    return _CSI_OF_8_BITS.sub("", _ESCAPES.sub("", text)).rstrip("\r").rpartition("\r")[2]


def level_number(level: str) -> int:
    """`WARNING` as logging counts it; an unknown one counts as a warning."""
    return logging.getLevelNamesMapping().get(level.upper(), logging.WARNING)


def last_lines(
    records: Iterable[OutputRecord], origins: Sequence[Origin], *, at_most: int = 5
) -> Mapping[Origin, Sequence[OutputRecord]]:
    """The last records of each of `origins`, cut to `at_most` lines in all."""
    found: dict[Origin, list[OutputRecord]] = {origin: [] for origin in origins}
    for record in records:
        if record.origin in found:
            found[record.origin] = _last([*found[record.origin], record], at_most)
    return found


def _last(records: list[OutputRecord], at_most: int) -> list[OutputRecord]:
    kept: list[OutputRecord] = []
    room = at_most
    for record in reversed(records):
        if room <= 0:
            break
        lines = record.lines[-room:]
        kept.insert(0, OutputRecord(record.origin, record.ts, record.stream, lines, record.fields, record.dropped))
        room -= max(len(lines), 1)
    return kept


def _level(record: OutputRecord) -> list[Span]:
    if record.fields is None:
        return []
    level = level_number(record.fields.level)
    text = f"{record.fields.level} {record.fields.logger}: "
    return [bad(text) if level >= logging.ERROR else warn(text) if level >= logging.WARNING else dim(text)]
