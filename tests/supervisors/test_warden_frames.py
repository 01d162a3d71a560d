"""Frames between a supervisor, its warden and the warden's zygotes."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorflow_supervisors.warden_frames import MAX_FRAME_BYTES, FrameError, FrameReader, FrameSocket, pack

NAMES = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=20)


@pytest.fixture
def pair() -> Iterator[tuple[FrameSocket, FrameSocket]]:
    one, other = socket.socketpair()
    ends = FrameSocket(one), FrameSocket(other)
    yield ends
    for end in ends:
        end.close()


@given(st.lists(st.tuples(NAMES, st.lists(st.binary(max_size=100), max_size=5)), max_size=5), st.integers(1, 50))
def test_frames_come_back_however_they_are_cut(messages: list[tuple[str, list[bytes]]], size: int) -> None:
    stream = b"".join(pack(name, *fields) for name, fields in messages)
    reader = FrameReader()

    found = [frame for at in range(0, len(stream), size) for frame in reader.received(stream[at : at + size], [])]

    assert [(frame.name, frame.fields) for frame in found] == messages


@given(st.binary(max_size=200))
def test_garbage_is_refused_or_waited_for_and_nothing_else(data: bytes) -> None:
    reader = FrameReader()
    try:
        frames = reader.received(data, [])
    except FrameError:
        return
    assert len(frames) <= len(data)


def test_a_length_above_the_limit_is_refused_before_it_is_waited_for() -> None:
    with pytest.raises(FrameError, match="is announced"):
        FrameReader().received((MAX_FRAME_BYTES + 1).to_bytes(4, "big") + b"\0", [])


def test_a_frame_above_the_limit_is_not_sent() -> None:
    with pytest.raises(FrameError, match="are allowed"):
        pack("large", b"x" * MAX_FRAME_BYTES)


def test_descriptors_that_did_not_come_are_an_error() -> None:
    with pytest.raises(FrameError, match="1 descriptors are announced, 0 came"):
        FrameReader().received(pack("start", fds=1), [])


def test_descriptors_travel_with_their_frame_and_are_not_inherited(pair: tuple[FrameSocket, FrameSocket]) -> None:
    ours, theirs = pair
    reads, writes = os.pipe()

    ours.send("first", 1)
    ours.send("second", b"2", fds=(writes,))
    frames = theirs.receive() or []
    frames += theirs.receive() or [] if len(frames) < 2 else []
    os.write(frames[1].fds[0], b"through")

    assert [(frame.name, frame.fields, len(frame.fds)) for frame in frames] == [
        ("first", [b"1"], 0),
        ("second", [b"2"], 1),
    ]
    assert not os.get_inheritable(frames[1].fds[0])
    assert os.read(reads, 10) == b"through"
    frames[1].close()
    os.close(reads)
    os.close(writes)


def test_what_does_not_fit_waits_with_descriptors_of_its_own(pair: tuple[FrameSocket, FrameSocket]) -> None:
    ours, theirs = pair
    reads, writes = os.pipe()
    large = os.urandom(1 << 20)

    ours.send("large", large)
    ours.send("pipe", fds=(writes,))
    os.close(writes)
    waits = not ours.is_flushed
    frames = theirs.receive() or []
    while not ours.is_flushed or len(frames) < 2:
        ours.flush()
        frames += theirs.receive() or []

    assert waits
    assert frames[0].fields == [large]
    os.write(frames[1].fds[0], b"x")
    assert os.read(reads, 1) == b"x"
    frames[1].close()
    os.close(reads)


def test_the_end_of_the_other_side_is_told() -> None:
    one, other = socket.socketpair()
    ours, theirs = FrameSocket(one), FrameSocket(other)

    assert ours.receive() == []
    theirs.close()

    assert ours.receive() is None
    with pytest.raises(OSError, match="Broken pipe"):
        ours.send("anything")
    ours.close()
