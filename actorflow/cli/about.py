"""What `actorflow --version -v` tells: the versions a report of a bug should name, and the loop a run would be on."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version

from actorflow.own_loop import UVLOOP_VARIABLE, LoopKind, chosen_loop
from actorflow.version import VERSION


def about() -> dict[str, str]:
    """By name, in the order of telling; `uvloop` is missing where it is not installed."""
    found = {"version": VERSION, "python": ".".join(map(str, sys.version_info[:3])), "loop": chosen_loop("asyncio")}
    uvloop = _uvloop_version()
    return found if uvloop is None else {**found, "uvloop": uvloop}


def about_lines() -> list[str]:
    """The same for a person."""
    found = about()
    loop = _loop_words(chosen_loop("asyncio"), found.get("uvloop"))
    return [f"actorflow {found['version']}", f"python {found['python']}", f"loop {loop}"]


def _loop_words(loop: LoopKind, uvloop: str | None) -> str:
    if loop == "uvloop":
        return f"uvloop {uvloop or ''}".rstrip()
    why = "uvloop is not installed" if uvloop is None else f"uvloop {uvloop} is refused by {UVLOOP_VARIABLE}, or broken"
    return f"{loop} ({why})"


def _uvloop_version() -> str | None:
    try:
        return version("uvloop")
    except PackageNotFoundError:
        return None
