"""Sizes are read alike everywhere, and a unit that may mean two things is not guessed at."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorflow.flows.sizes import UNITS_BYTES, Size, format_size, size_bytes


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ("256MiB", 268_435_456),
        ("1GB", 1_000_000_000),
        ("1gib", 1_073_741_824),
        ("512 KiB", 524_288),
        ("1.5GiB", 1_610_612_736),
        ("0.0001kB", 0),
        ("7B", 7),
        (4096, 4096),
        (0, 0),
    ],
)
def test_a_size_is_so_many_bytes(size: Size, expected: int) -> None:
    assert size_bytes(size) == expected


@pytest.mark.parametrize(
    ("size", "why"),
    [
        ("256", "needs a unit"),
        ("256M", '"256MiB" or "256MB"'),
        ("1Gi", '"1GiB" or "1GB"'),
        ("3 apples", '"apples" is no unit'),
        ("", "is no size"),
        ("-1MB", "is no size"),
        (-1, "not negative"),
        (1.5, "whole number of bytes"),
        (True, "whole number of bytes"),
        (None, "whole number of bytes"),
    ],
)
def test_what_is_no_size_is_refused_with_the_reason_and_the_forms_that_are(size: Size, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        size_bytes(size)

    assert '"256MiB"' in str(caught.value)


@given(st.integers(1, 10**6), st.sampled_from(sorted(UNITS_BYTES)))
def test_a_whole_number_of_a_unit_is_that_many_times_the_unit(count: int, unit: str) -> None:
    assert size_bytes(f"{count}{unit}") == count * UNITS_BYTES[unit]


@pytest.mark.parametrize(("count", "text"), [(268_435_456, "256MiB"), (1536, "1.5KiB"), (7, "7B"), (0, "0B")])
def test_a_size_is_written_as_a_person_would_and_reads_back(count: int, text: str) -> None:
    assert format_size(count) == text
    assert size_bytes(text) == count
