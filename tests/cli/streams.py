"""Streams that stand for a terminal or a pipe."""

from __future__ import annotations

import io


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Gone(io.StringIO):
    """A pipe whose reader went away."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


class Written(io.StringIO):
    """A pipe or a file; what was written stays readable."""
