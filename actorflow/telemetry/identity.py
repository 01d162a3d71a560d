"""Identity: the ids of a run's trace and of its spans, derived from names, so that every process agrees unasked.

A span id is a hash of what the span is about. The process that builds a span, the worker whose spans nest inside it
and a later resume of the run all come to the same id, and none has to be told.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

_TRACEPARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED: Final = 0x01


@dataclass(frozen=True, slots=True)
class TraceContext:
    """One span, as others are told of it. state: the `tracestate` that travels with it, unread.

    Source: W3C Trace Context, level 1.
    """

    trace_id: int
    span_id: int
    sampled: bool = True
    state: str = ""

    @property
    def traceparent(self) -> str:
        """`00-TRACE-SPAN-FLAGS`."""
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-{int(self.sampled):02x}"


def read_traceparent(text: str, state: str = "") -> TraceContext | None:
    """The context that a `traceparent` names; None where it is not well formed, which the standard says to ignore."""
    found = _TRACEPARENT.fullmatch(text.strip())
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or not int(trace_id, 16) or not int(span_id, 16):
        return None
    return TraceContext(int(trace_id, 16), int(span_id, 16), bool(int(flags, 16) & _SAMPLED), state.strip())


def trace_id_of(run_id: str) -> int:
    """The trace of a run that nobody else's trace holds."""
    return _hashed(f"run\0{run_id}", 16)


@dataclass(frozen=True, slots=True)
class SpanIds:
    """The span ids of one run. life: how often it was taken up again; run and tasks have a span for each life."""

    run_id: str
    life: int = 0

    def run(self) -> int:
        return _hashed(f"run\0{self.run_id}{self._life}", 8)

    def task(self, step: str, map_index: int | None = None) -> int:
        """Of a task instance; without an index, of the whole of a mapped step."""
        return _hashed(f"task\0{self.run_id}\0{step}\0{map_index}{self._life}", 8)

    def attempt(self, step: str, map_index: int | None, number: int) -> int:
        return _hashed(f"attempt\0{self.run_id}\0{step}\0{map_index}\0{number}", 8)

    @property
    def _life(self) -> str:
        return f"\0life {self.life}" if self.life else ""


def _hashed(text: str, size_bytes: int) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=size_bytes).digest(), "big") or 1
