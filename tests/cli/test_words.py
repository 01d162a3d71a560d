"""Durations, sizes and counts read the same everywhere."""

from __future__ import annotations

import pytest

from actorflow.cli.words import duration, listed, number, plural, shorten, size


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "<1ms"),
        (0.0006, "1ms"),
        (0.0304, "30ms"),
        (0.0994, "99ms"),
        (0.0995, "0.1s"),
        (2.14, "2.1s"),
        (9.94, "9.9s"),
        (9.96, "10s"),
        (34.4, "34s"),
        (59.6, "1m00s"),
        (65, "1m05s"),
        (3599.6, "1h00m"),
        (7380, "2h03m"),
        (86_400 + 4 * 3600, "1d04h"),
        (-1, "<1ms"),
    ],
)
def test_a_duration_has_two_figures_that_matter(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("n_bytes", "words"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (412 * 2**20, "412 MiB"),
        (2 * 10**9, "1.9 GiB"),
        (2**50, "1024.0 TiB"),
    ],
)
def test_a_size_is_in_binary_units(n_bytes: int, words: str) -> None:
    assert size(n_bytes) == words


def test_a_count_agrees_with_its_noun() -> None:
    assert plural(1, "task") == "1 task"
    assert plural(12_400, "task") == "12,400 tasks"
    assert plural(2, "retry", "retries") == "2 retries"
    assert number(1234567) == "1,234,567"


@pytest.mark.parametrize(
    ("text", "width", "short"),
    [("abc", 3, "abc"), ("abcd", 3, "..."), ("abcdefgh", 6, "abc..."), ("first\nsecond", 20, "first..."), ("", 5, "")],
)
def test_a_shortened_text_shows_that_something_is_missing(text: str, width: int, short: str) -> None:
    assert shorten(text, width) == short


def test_a_long_list_names_the_first_and_counts_the_rest() -> None:
    assert listed(["a", "b"]) == "a, b"
    assert listed(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
