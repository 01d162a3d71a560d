"""What the options of a connection mean for a frame: item to frame and back, and which frames are taken."""

from __future__ import annotations

from typing import Any

from .frame import COMPRESSED, FrameParser, header_of
from .interface import ConnectionOptions


def parser_for(options: ConnectionOptions) -> FrameParser:
    """A parser that refuses what these options do not allow."""
    return FrameParser(
        max_frame_bytes=options.max_frame_bytes,
        max_first_frame_bytes=options.max_first_frame_bytes,
        known_flags=COMPRESSED if options.expand is not None else 0,
    )


def framed(options: ConnectionOptions, item: Any, max_bytes: int) -> tuple[bytes, bytes]:
    """(head, body) of an item; raises FrameTooLarge, what encode raises. The limit is on what is not compressed."""
    body = options.encode(item)
    head = header_of(len(body), max_frame_bytes=max_bytes)
    if options.squeeze is None or (squeezed := options.squeeze(body)) is None:
        return head, body
    return header_of(len(squeezed), flags=COMPRESSED), squeezed


def decoded(options: ConnectionOptions, flags: int, body: bytes | bytearray) -> Any:
    """The item in a frame; raises what decode and expand raise."""
    if flags and options.expand is not None:
        body = options.expand(body, options.max_frame_bytes)  # type: ignore[arg-type]  # bytearray as bytes
    return options.decode(body)  # type: ignore[arg-type]  # a bytearray will do where bytes do
