"""What may not be imported before it is needed, since every command pays for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"rich", "asyncio", "sqlite3", "pydantic", "opentelemetry", "trio", "anyio", "psutil", "msgpack"}


def imported_by(*command: str) -> set[str]:
    """Top-level names of the modules a Python process imports, as `-X importtime` tells them."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *command], capture_output=True, text=True, check=True, timeout=60
    )
    lines = [text for text in done.stderr.splitlines() if text.startswith("import time:")]
    assert len(lines) > 20
    return {text.rpartition("|")[2].strip().partition(".")[0] for text in lines}


@pytest.mark.parametrize(
    "command",
    [
        ("-c", "import actorflow"),
        ("-m", "actorflow", "--help"),
        ("-m", "actorflow", "--version"),
        ("-m", "actorflow", "run", "--help"),
        ("-m", "actorflow", "show", "--help"),
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_imported_before_it_is_needed(command: tuple[str, ...]) -> None:
    assert imported_by(*command) & HEAVY == set()


def test_the_front_page_does_without_click() -> None:
    assert "click" not in imported_by("-m", "actorflow", "--help")
