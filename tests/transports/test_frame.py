"""The frame parser: the same frames come out however the bytes arrive, and anything else is refused."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorflow_transports import BadFrame, ConnectionLost, FrameTooLarge
from actorflow_transports.frame import COMPRESSED, HEADER, MAGIC, Frame, FrameParser, header_of

BODIES = st.lists(st.binary(max_size=300), max_size=8)


def wire(*bodies: bytes) -> bytes:
    return b"".join(header_of(len(body)) + body for body in bodies)


def bodies_of(frames: list[Frame]) -> list[bytes]:
    return [bytes(body) for _, body in frames]


def test_two_frames_split_at_every_point_come_out_whole() -> None:
    data = wire(b"first", b"", b"second" * 20)

    for first_cut in range(len(data) + 1):
        for second_cut in (first_cut, min(first_cut + 3, len(data)), len(data)):
            parser = FrameParser(read_bytes=64)
            pieces = [data[a:b] for a, b in pairwise((0, first_cut, second_cut, len(data)))]
            frames = [frame for piece in pieces for frame in parser.feed(piece)]
            assert bodies_of(frames) == [b"first", b"", b"second" * 20]
            assert parser.is_between_frames


@given(bodies=BODIES, read_bytes=st.integers(1, 400), cuts=st.lists(st.integers(0, 3000), max_size=12))
def test_frames_do_not_depend_on_how_their_bytes_arrive(bodies: list[bytes], read_bytes: int, cuts: list[int]) -> None:
    data = wire(*bodies)
    points = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    parser = FrameParser(read_bytes=read_bytes)

    frames = [frame for start, end in pairwise(points) for frame in parser.feed(data[start:end])]

    assert bodies_of(frames) == bodies
    assert parser.is_between_frames


@pytest.mark.parametrize("cuts", [[6], [6, 7], [6, 200_006], [3, 6, 100_000], [6, 200_006, 200_009, 200_012]])
def test_a_large_body_may_be_handed_over_in_pieces_of_any_size(cuts: list[int]) -> None:
    data = wire(b"a" * 200_000, b"b" * 200_000, b"", b"c")
    parser = FrameParser()
    frames: list[Frame] = []

    for start, end in pairwise([0, *cuts, len(data)]):
        rest = data[start:end]
        while rest:
            count = parser.whole_bytes or len(parser.writable())
            piece, rest = rest[:count], rest[count:]
            if parser.whole_bytes:
                frames += parser.received(piece)
            else:
                parser.writable()[: len(piece)] = piece
                frames += parser.written(len(piece))

    assert bodies_of(frames) == [b"a" * 200_000, b"b" * 200_000, b"", b"c"]
    assert parser.is_between_frames


def test_after_a_large_body_the_next_one_comes_in_one_piece() -> None:
    parser = FrameParser()
    parser.feed(wire(b"a" * 200_000))

    assert len(parser.writable()) == HEADER.size
    assert parser.feed(header_of(150_000)) == []
    assert parser.whole_bytes == 150_000
    assert parser.received(b"b" * 150_000) == [(0, b"b" * 150_000)]


@given(bodies=BODIES.filter(bool), keep=st.integers(0, 2500))
def test_a_cut_stream_is_seen_as_cut_unless_it_ends_between_frames(bodies: list[bytes], keep: int) -> None:
    data = wire(*bodies)
    ends = [len(wire(*bodies[:count])) for count in range(len(bodies) + 1)]
    keep = min(keep, len(data))
    parser = FrameParser()

    frames = parser.feed(data[:keep])

    assert bodies_of(frames) == bodies[: sum(end <= keep for end in ends) - 1]
    assert parser.is_between_frames == (keep in ends)


def test_flags_travel_with_their_frame() -> None:
    frames = FrameParser().feed(header_of(1, flags=COMPRESSED) + b"a" + header_of(1) + b"b")

    assert frames == [(COMPRESSED, b"a"), (0, b"b")]


@pytest.mark.parametrize("first", [byte for byte in range(256) if byte != MAGIC])
def test_a_first_byte_that_begins_no_frame_is_refused_at_once(first: int) -> None:
    with pytest.raises(BadFrame, match=f"0x{first:02x}"):
        FrameParser().feed(bytes([first]))


@pytest.mark.parametrize("flags", [2, 4, 0x80, 0xFF])
def test_an_unknown_flag_is_refused(flags: int) -> None:
    with pytest.raises(BadFrame):
        FrameParser().feed(HEADER.pack(MAGIC, flags, 1))


def test_the_first_frame_of_a_stranger_has_no_flags() -> None:
    with pytest.raises(BadFrame):
        FrameParser(max_first_frame_bytes=10).feed(header_of(1, flags=COMPRESSED))
    with pytest.raises(BadFrame):
        FrameParser(known_flags=0).feed(header_of(1, flags=COMPRESSED))


@pytest.mark.parametrize("length", [11, 2**31, 2**32 - 1])
def test_a_length_above_the_limit_is_refused_before_room_is_made(length: int) -> None:
    parser = FrameParser(max_frame_bytes=10, read_bytes=64)
    tracemalloc.start()

    with pytest.raises(FrameTooLarge, match=f"{length:,}"):
        parser.feed(HEADER.pack(MAGIC, 0, length))

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000


def test_a_frame_of_exactly_the_limit_passes() -> None:
    assert bodies_of(FrameParser(max_frame_bytes=10).feed(wire(b"x" * 10))) == [b"x" * 10]


def test_only_the_first_frame_obeys_the_first_limit() -> None:
    parser = FrameParser(max_frame_bytes=100, max_first_frame_bytes=10)

    assert bodies_of(parser.feed(wire(b"x" * 10, b"y" * 100))) == [b"x" * 10, b"y" * 100]
    with pytest.raises(FrameTooLarge, match="limit is 10"):
        FrameParser(max_frame_bytes=100, max_first_frame_bytes=10).feed(wire(b"x" * 11))


def test_a_frame_to_be_sent_above_the_limit_names_the_way_out() -> None:
    with pytest.raises(FrameTooLarge, match="raise max_frame_bytes on both ends"):
        header_of(11, max_frame_bytes=10)


def garbage_is_refused_or_parsed(data: bytes) -> None:
    parser = FrameParser(max_frame_bytes=1000, read_bytes=64)
    try:
        frames = parser.feed(data)
    except ConnectionLost:
        return
    assert sum(len(body) + HEADER.size for _, body in frames) <= len(data)


@given(st.binary(max_size=500) | st.binary(max_size=100).map(lambda tail: bytes([MAGIC, 0, 0, 0]) + tail))
def test_garbage_is_refused_or_is_frames(data: bytes) -> None:
    garbage_is_refused_or_parsed(data)


@pytest.mark.slow
def test_a_million_damaged_streams_are_refused_or_are_frames(scale: int) -> None:
    import random

    rng = random.Random(7)
    good = wire(b"a", b"bc" * 30, b"", b"d" * 200)
    for _ in range(1_000_000 * scale):
        damaged = bytearray(good)
        for _ in range(rng.randint(1, 3)):
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        garbage_is_refused_or_parsed(bytes(damaged[: rng.randint(0, len(damaged))]))
