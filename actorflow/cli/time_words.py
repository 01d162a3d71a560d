"""Moments and log levels as a person types them on the command line."""

from __future__ import annotations

import logging
from datetime import datetime

from actorflow.cli.complaint import refusal
from actorflow.flows.durations import seconds


def moment_s(text: str, *, now_s: float, option: str = "--since") -> float:
    """Epoch seconds of `10m` (so long ago), `10m ago` or `2026-11-21T14:25` (local where no zone is named)."""
    try:
        return now_s - seconds(text.strip().removesuffix("ago").strip())
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except ValueError:
        raise refusal(f"{option} {text}: no time", "write 10m, or a time such as 2026-11-21T14:25") from None


def level_of(text: str) -> int:
    """`warning`, `WARNING` or `30`, as logging counts it."""
    if text.isdigit():
        return int(text)
    found = logging.getLevelNamesMapping().get(text.upper())
    if found is None:
        raise refusal(f"--level {text}: no level of logging", "debug, info, warning, error, critical, or a number")
    return found
