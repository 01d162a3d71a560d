"""Colour is a coat: without it every line says the same, and no text of a user's moves the cursor."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actorflow.cli.spans import ansi_text, bad, harmless, line, plain_text, rendered


def test_a_line_without_colour_is_its_words() -> None:
    assert plain_text(line("a ", bad("FAILED"), " b ")) == "a FAILED b"


def test_a_line_with_colour_wraps_only_the_toned_words() -> None:
    assert ansi_text(line("a ", bad("FAILED"))) == "a \x1b[1;31mFAILED\x1b[0m"


def test_an_escape_sequence_in_a_message_is_spelled_out() -> None:
    assert plain_text(line("x\x1b[2Jy\r")) == r"x\x1b[2Jy\r"


def test_a_tab_is_blanks() -> None:
    assert harmless("a\tb") == "a   b"


@given(st.lists(st.text(), max_size=5))
def test_rendered_lines_are_as_many_as_were_given_and_hold_no_control_character(texts: list[str]) -> None:
    shown = rendered([line(text) for text in texts], color=False)

    assert shown.count("\n") == len(texts)
    assert all(char.isprintable() for char in shown.replace("\n", ""))
