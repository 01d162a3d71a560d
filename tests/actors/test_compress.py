"""Compression gives back every byte, and no input makes it grow beyond its limits."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorflow.actors.codec import DecodeError
from actorflow.actors.compress import MAX_RATIO, MIN_BYTES, expand, squeeze

lz4: Any = importlib.import_module("lz4.frame")
TEXT = b"".join(b"line %d of some text that repeats itself\n" % number for number in range(20_000))


@given(st.binary(max_size=200), st.integers(0, 300))
def test_every_byte_comes_back(data: bytes, times: int) -> None:
    assert expand(squeeze(data * times)) == data * times


def test_text_becomes_smaller_and_noise_does_not_become_larger() -> None:
    noise = os.urandom(100_000)

    assert len(squeeze(TEXT)) < len(TEXT) / 2
    assert len(squeeze(noise)) == len(noise) + 1


def test_what_is_small_is_left_alone() -> None:
    small = b"a" * (MIN_BYTES - 1)

    assert squeeze(small) == b"\x00" + small


def test_a_value_of_zeros_is_sent_as_it_is_and_comes_back() -> None:
    zeros = bytes(10_000_000)

    assert expand(squeeze(zeros)) == zeros


def bomb(size: int) -> bytes:
    return b"\x01" + bytes(lz4.compress(bytes(size)))


def peak_of_refusal(data: bytes, says: str, **limits: int) -> int:
    tracemalloc.start()
    with pytest.raises(DecodeError, match=says):
        expand(data, **limits)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_a_bomb_is_stopped_at_its_ratio() -> None:
    data = bomb(256 * 1024 * 1024)

    assert peak_of_refusal(data, "decompresses to more than", max_bytes=2**40) < 2 * MAX_RATIO * len(data)


def test_a_bomb_is_stopped_at_the_absolute_limit() -> None:
    assert peak_of_refusal(bomb(64 * 1024 * 1024), "more than 1,000,000 bytes", max_bytes=1_000_000) < 2_000_000


def test_a_forged_size_makes_no_room() -> None:
    frame = bytearray(lz4.compress(TEXT, store_size=True))
    frame[6:14] = (2**62).to_bytes(8, "little")

    assert peak_of_refusal(b"\x01" + bytes(frame), "damaged", max_bytes=2**40) < 1_000_000


def test_frames_glued_together_are_refused() -> None:
    frame = bytes(lz4.compress(b"tiny"))

    with pytest.raises(DecodeError, match="bytes follow"):
        expand(b"\x01" + frame * 100)


def test_a_raw_value_above_the_limit_is_refused() -> None:
    with pytest.raises(DecodeError, match="more than the limit of 10"):
        expand(squeeze(b"x" * 11), max_bytes=10)


@pytest.mark.parametrize("data", [b"", b"\x02abc", b"\x01", b"\x01abc", b"\xff"])
def test_what_is_not_ours_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        expand(data)


@given(st.data())
def test_damaged_data_is_refused_or_harmless(data: st.DataObject) -> None:
    good = bytearray(squeeze(TEXT[:8000]))
    for _ in range(data.draw(st.integers(1, 3))):
        good[data.draw(st.integers(0, len(good) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    damaged = bytes(good[: data.draw(st.integers(0, len(good)))])
    try:
        back = expand(damaged, max_bytes=20_000)
    except DecodeError:
        return
    assert len(back) <= 20_000


def test_every_truncation_is_refused() -> None:
    good = squeeze(TEXT[:8000])

    for keep in range(1, len(good)):
        with pytest.raises(DecodeError):
            expand(good[:keep])


def test_lz4_is_imported_only_when_something_is_compressed() -> None:
    script = (
        "import sys\n"
        "from actorflow.actors.compress import squeeze, expand\n"
        "expand(squeeze(b'small'))\n"
        "assert not any(name.startswith('lz4') for name in sys.modules)\n"
    )

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
