"""The front page stands by itself, and says of each command what the command says of itself."""

from __future__ import annotations

import pytest

from actorflow.cli.front import COMMANDS, answered_at_once, overview
from actorflow.version import VERSION


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["--help"], overview()),
        (["-h"], overview()),
        (["--version"], f"actorflow {VERSION}"),
        (["--version", "--json"], None),
        (["run", "--help"], None),
        ([], None),
    ],
)
def test_only_the_front_page_and_the_version_are_answered_at_once(arguments: list[str], answer: str | None) -> None:
    assert answered_at_once(arguments) == answer


def test_the_front_page_lists_every_command_and_fits_a_terminal() -> None:
    text = overview()

    assert all(f"  {name}" in text for name in COMMANDS)
    assert max(len(line) for line in text.splitlines()) <= 120
