"""Filters of runs as they are typed: `name=value`, and a status by its name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from actorflow.cli.complaint import refusal
from actorflow.runs.states import RunStatus


def named_values(pairs: Iterable[str], option: str) -> Mapping[str, str]:
    """`day=2026-11-20` as name and text; refuses what has no `=`, and a name that is given twice with two values."""
    found: dict[str, str] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign or not name:
            raise refusal(f"{option} {pair}: no NAME=VALUE", f"{option} day=2026-11-20")
        if found.setdefault(name, value) != value:
            raise refusal(f"{option} {name}: both {found[name]} and {value}", "give it once")
    return found


def status_of(text: str) -> RunStatus:
    """The status of that name; refuses another word with those there are."""
    try:
        return RunStatus(text)
    except ValueError:
        raise refusal(f"--status {text}: no status of a run", f"one of {', '.join(RunStatus)}") from None
