"""Misread: a text or number that is not what it should be, with what would be right kept apart for `help:` lines."""

from __future__ import annotations


class Misread(ValueError):
    """why: what is wrong with the value. help: what to write instead."""

    def __init__(self, why: str, help: str) -> None:
        super().__init__(why, help)
        self.why = why
        self.help = help

    def __str__(self) -> str:
        return f"{self.why}; {self.help}"
