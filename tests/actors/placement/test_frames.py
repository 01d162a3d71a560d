"""Frames: what was packed is read; everything else is refused by name, and nothing breaks."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorflow.actors.codec.wire import pack
from actorflow.actors.placement.frames import How, Kind, NotAFrame, pack_frame, read_frame

FRAMES: list[list[Any]] = [
    [Kind.messages, 7, "add", b"x", False],
    [Kind.messages, 7, "add", [1, "two", {"three": 3.0}], None, "get", [], 0.5, "add", b"x", False],
    [Kind.replies, 3, How.plain, 1],
    [Kind.replies, 3, How.plain, None, 2, How.value, b"x", 4, How.error, b"x"],
    [Kind.drop, 2],
    [Kind.ended, b"why"],
    [Kind.call, 1, 2, "add", b"", None, True],
]


@pytest.mark.parametrize("frame", FRAMES)
def test_a_frame_is_read_as_it_was_packed(frame: Any) -> None:
    assert read_frame(pack_frame(frame)) == frame


NO_FRAMES: list[tuple[object, str]] = [
    ([], "not a list"),
    ({"a": 1}, "not a list"),
    ([99], "kind 99 is unknown"),
    ([[]], "unknown"),
    ([Kind.letter, "add", "crashed"], "the fields of letter do not fit"),
    ([Kind.messages], "the fields of messages do not fit"),
    ([Kind.messages, 1], "the fields of messages do not fit"),
    ([Kind.messages, "1", "add", b"", None], "the fields of messages do not fit"),
    ([Kind.messages, 1, "add", b""], "the fields of messages do not fit"),
    ([Kind.messages, 1, "add", b"", None, "add", {}, None], "the fields of messages do not fit"),
    ([Kind.messages, 1, "add", b"", None, 2, b"", None], "the fields of messages do not fit"),
    ([Kind.messages, 1, "add", b"", "soon"], "the fields of messages do not fit"),
    ([Kind.replies], "the fields of replies do not fit"),
    ([Kind.replies, 1, How.plain], "the fields of replies do not fit"),
    ([Kind.replies, 1, How.plain, 2, 3, How.plain, [4]], "the fields of replies do not fit"),
    ([Kind.done, None], "the fields of done do not fit"),
]


@pytest.mark.parametrize(("item", "why"), NO_FRAMES)
def test_what_is_no_frame_is_refused_by_name(item: object, why: str) -> None:
    with pytest.raises(NotAFrame, match=why):
        read_frame(pack(item))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_frame_or_are_refused(data: bytes) -> None:
    try:
        frame = read_frame(data)
    except NotAFrame:
        return
    assert isinstance(frame, list)
