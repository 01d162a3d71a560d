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
from actorflow.actors.compress import MAX_RATIO, MIN_BYTES, SAMPLE_BYTES, expand, squeeze

lz4: Any = importlib.import_module("lz4.frame")
TEXT = b"".join(b"line %d of some text that repeats itself\n" % number for number in range(20_000))


def squeezed(data: bytes) -> bytes:
    """What is certainly worth compressing, compressed."""
    found = squeeze(data)
    assert found is not None
    return found


@given(st.binary(max_size=200), st.integers(0, 300))
def test_every_byte_comes_back(data: bytes, times: int) -> None:
    found = squeeze(data * times)

    assert found is None or expand(found) == data * times


def test_text_becomes_smaller_and_noise_is_left_alone() -> None:
    noise = os.urandom(100_000)

    assert len(squeezed(TEXT)) < len(TEXT) / 2
    assert expand(squeezed(TEXT)) == TEXT
    assert squeeze(noise) is None


def test_what_begins_as_noise_is_left_alone_without_compressing_the_rest() -> None:
    assert squeeze(os.urandom(SAMPLE_BYTES) + TEXT) is None


def test_what_is_small_is_left_alone() -> None:
    assert squeeze(b"a b c d " * (MIN_BYTES // 8 - 1)) is None


def test_what_would_look_like_a_bomb_is_sent_as_it_is() -> None:
    assert squeeze(bytes(10_000_000)) is None


def bomb(size: int) -> bytes:
    return bytes(lz4.compress(bytes(size)))


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

    assert peak_of_refusal(bytes(frame), "damaged", max_bytes=2**40) < 1_000_000


def test_frames_glued_together_are_refused() -> None:
    frame = bytes(lz4.compress(b"tiny"))

    with pytest.raises(DecodeError, match="bytes follow"):
        expand(frame * 100)


@pytest.mark.parametrize("data", [b"", b"\x02abc", b"\x01", b"\xff", b"\x04\x22\x4d\x18"])
def test_what_is_not_ours_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        expand(data)


@given(st.data())
def test_damaged_data_is_refused_or_harmless(data: st.DataObject) -> None:
    good = bytearray(squeezed(TEXT[:8000]))
    for _ in range(data.draw(st.integers(1, 3))):
        good[data.draw(st.integers(0, len(good) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    damaged = bytes(good[: data.draw(st.integers(0, len(good)))])
    try:
        back = expand(damaged, max_bytes=20_000)
    except DecodeError:
        return
    assert len(back) <= 20_000


def test_every_truncation_is_refused() -> None:
    good = squeezed(TEXT[:8000])

    for keep in range(1, len(good)):
        with pytest.raises(DecodeError):
            expand(good[:keep])


def test_lz4_is_imported_only_when_something_is_compressed() -> None:
    script = (
        "import sys\n"
        "from actorflow.actors.compress import squeeze\n"
        "squeeze(b'small')\n"
        "assert not any(name.startswith('lz4') for name in sys.modules)\n"
    )

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
