"""Complaints: what OpenTelemetry logs of a collector that does not answer, kept for the end instead of printed between.

Only where the SDK is set up by us. A program that configures logging sees the lines as ever.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import Final

MAX_CHARS: Final = 160
_REASONS: Final = (
    ("refused", "connection refused"),
    ("resol", "unknown host"),
    ("unauthenticated", "not authenticated"),
    ("timed out", "no answer in time"),
    ("timeout", "no answer in time"),
    ("deadline", "no answer in time"),
)


class Complaints(logging.Handler):
    """Keeps why, in few words, something could not be delivered."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.reason = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.reason = reason_of(record.getMessage(), self.reason)


def reason_of(text: str, before: str = "") -> str:
    """Few words for a long message; what was said before it, where that says more."""
    lower = text.lower()
    known = next((words for part, words in _REASONS if part in lower), None)
    if known == "no answer in time" and before:  # the end of the retries, whatever their cause was
        return before
    return known or " ".join(text.split())[:MAX_CHARS]


@cache
def heard_complaints() -> Complaints:
    """Those of this process, from the first call on."""
    complaints = Complaints()
    logging.getLogger("opentelemetry").addHandler(complaints)
    return complaints
