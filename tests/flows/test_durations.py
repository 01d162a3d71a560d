"""Durations are read alike everywhere, and what is wrong with one is said in words."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorflow.flows.durations import Duration, format_duration, seconds


@pytest.mark.parametrize(
    ("duration", "expected_s"),
    [
        ("200ms", 0.2),
        ("15us", 15e-6),
        ("30s", 30.0),
        ("1.5s", 1.5),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("1h 30m", 5400.0),
        ("2d", 172800.0),
        ("1w", 604800.0),
        ("0s", 0.0),
        (30, 30.0),
        (0.25, 0.25),
        (timedelta(minutes=2), 120.0),
    ],
)
def test_a_duration_is_so_many_seconds(duration: Duration, expected_s: float) -> None:
    assert seconds(duration) == pytest.approx(expected_s)


@pytest.mark.parametrize(
    ("duration", "why"),
    [
        ("30", "has no unit"),
        ("30 parsecs", "is no duration"),
        ("", "is no duration"),
        ("-5s", "is no duration"),
        ("30m1h", "larger first"),
        ("1s1s", "each unit once"),
        (-1, "not negative"),
        (math.nan, "finite"),
        (math.inf, "finite"),
        (10**400, "finite"),
        ("9" * 400 + "s", "finite"),
        (True, "a number of seconds"),
        (None, "a number of seconds"),
        ([1], "a number of seconds"),
        (timedelta(seconds=-1), "not negative"),
    ],
)
def test_what_is_no_duration_is_refused_with_the_reason_and_the_forms_that_are(duration: Duration, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        seconds(duration)

    assert '"200ms"' in str(caught.value)


@given(st.integers(min_value=0, max_value=10 * 7 * 24 * 3600 * 10**6))
def test_a_formatted_duration_reads_back_to_the_microsecond(microseconds: int) -> None:
    text = format_duration(microseconds / 1e6)

    assert round(seconds(text) * 1e6) == microseconds


@given(st.integers(0, 50), st.integers(0, 59), st.integers(0, 59))
def test_the_parts_of_a_duration_add_up(hours: int, minutes: int, whole_seconds: int) -> None:
    text = f"{hours}h{minutes}m{whole_seconds}s"

    assert seconds(text) == timedelta(hours=hours, minutes=minutes, seconds=whole_seconds).total_seconds()


@pytest.mark.parametrize(("duration_s", "text"), [(0.2, "200ms"), (1.5, "1.5s"), (5400, "1h30m"), (0, "0s")])
def test_a_duration_is_written_as_a_person_would(duration_s: float, text: str) -> None:
    assert format_duration(duration_s) == text
