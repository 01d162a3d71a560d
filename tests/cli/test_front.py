"""The front page stands by itself, and says of each command what the command says of itself."""

from __future__ import annotations

import pytest

from actorflow.cli.front import COMMANDS, is_front_page, overview


@pytest.mark.parametrize(
    ("arguments", "is_it"), [(["--help"], True), (["-h"], True), ([], False), (["run", "--help"], False)]
)
def test_the_front_page_is_asked_for_by_help_alone(arguments: list[str], is_it: bool) -> None:
    assert is_front_page(arguments) is is_it


def test_the_front_page_lists_every_command_and_fits_a_terminal() -> None:
    text = overview()

    assert all(f"  {name}" in text for name in COMMANDS)
    assert max(len(line) for line in text.splitlines()) <= 120
