"""Whatever a peer sends: items or a lost connection, this one only, and memory below twice the frame limit."""

from __future__ import annotations

import contextlib
import importlib
import random
import socket
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from actorflow.actors.codec import Codec, DecodeError, Limits
from actorflow.actors.codec.wire import MARKS, Tag, pack
from actorflow.actors.compress import expand, squeeze
from actorflow.testing.transports import Subject
from actorflow_transports import (
    BadFrame,
    ConnectionLost,
    ConnectionOptions,
    EndOfItems,
    FrameTooLarge,
    HandshakeRefused,
    Hello,
    greet,
)
from actorflow_transports.frame import COMPRESSED, HEADER, MAGIC, FrameParser, header_of
from tests.actors.test_codec import VALUES
from tests.faults.leaks import leak_audit as leak_audit
from tests.transports.test_conformance import subprocess_subject, tcp_subject, unix_subject

lz4: Any = importlib.import_module("lz4.frame")
MIB = 1024 * 1024
LIMIT = MIB
CODEC = Codec(limits=Limits(max_bytes=LIMIT, max_depth=32, max_elements=10_000))
OPTIONS = ConnectionOptions(encode=CODEC.encode, decode=CODEC.decode, expand=expand, max_frame_bytes=LIMIT)


def frame(body: bytes, flags: int = 0) -> bytes:
    return header_of(len(body), flags=flags, max_frame_bytes=2**32 - 1) + body


def squeezed(body: bytes) -> bytes:
    found = squeeze(body)
    assert found is not None
    return found


def lie(length: int, body: bytes = b"") -> bytes:
    """A frame that announces another length than it has."""
    return HEADER.pack(MAGIC, 0, length) + body


GOOD = [frame(CODEC.encode(value)) for value in VALUES]
SMALL = frame(CODEC.encode({"a": [1, "x", (2,)]}))
TEXT = CODEC.encode("".join(f"line {number}, " for number in range(5_000)))
LENGTHS = sorted({0, 1, 5, 6, 255, 65_535, LIMIT - 1, LIMIT, LIMIT + 1, 2**24, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1})
SIZED = (0xDD, 0xDF, 0xDB, 0xC6, 0xC9)
"""What msgpack announces with a length of four bytes: arrays, maps, text, bytes, extensions."""
DEPTHS = (1, 16, 31, 32, 33, 64, 65, 100, 500, 1_000, 10_000, 100_000)
CORPUS: dict[str, bytes] = {
    "glued": SMALL * 5,
    "good and garbage": SMALL + b"garbage",
    "compressed": frame(squeezed(TEXT), COMPRESSED),
    "compressed and cut": frame(squeezed(TEXT)[:-5], COMPRESSED),
    "compressed twice": frame(squeezed(TEXT) * 2, COMPRESSED),
    "said to be compressed": frame(b"not compressed at all", COMPRESSED),
    "an oversize frame": frame(bytes(LIMIT + 1)),
    **{f"flags {flags:#x}": HEADER.pack(MAGIC, flags, 1) + b"\xc0" for flags in (1, 2, 3, 4, 0x80, 0xFF)},
    **{f"magic {magic:#x}": HEADER.pack(magic, 0, 1) + b"\xc0" for magic in (0, 0x16, 0x47, 0xAE, 0xFF)},
    **{f"length {length}": lie(length, b"\xc0") for length in LENGTHS},
    **{f"depth {depth}": frame(b"\x91" * depth + b"\xc0") for depth in DEPTHS},
    **{f"maps of depth {depth}": frame(b"\x81\xa0" * depth + b"\xc0") for depth in DEPTHS},
    **{f"{head:#x} of {length}": frame(struct.pack(">BI", head, length)) for length in LENGTHS for head in SIZED},
    "many empties": frame(b"\xdd" + struct.pack(">I", LIMIT - 10) + b"\x80" * (LIMIT - 10)),
    "16 M empties": frame(b"\xdd" + struct.pack(">I", 16 * MIB) + b"\x80" * 16 * MIB),
    "a bomb of 16 M empties": frame(lz4.compress(b"\x80" * 16 * MIB), COMPRESSED),
    **{f"extension {code}": frame(b"\xc7\x00" + bytes([code])) for code in (0, 29, 63, 127, 128, 255)},
    "an extension with data": frame(b"\xc7\x04\x01abcd"),
    "nan": frame(b"\x93\xcb\x7f\xf8" + b"\x00" * 6 + b"\xca\x7f\xc0\x00\x00\xcb\xff\xf0" + b"\x00" * 6),
    "invalid UTF-8": frame(b"\x92\xa2\xff\xfe\xa1\x80"),
    "a lone surrogate": frame(b"\xa3\xed\xa0\x80"),
    "a key twice": frame(pack([MARKS[Tag.DICT], 1, 2, 1, 3])),
    "a key twice in a map": frame(b"\x82\x01\x02\x01\x03"),
    "an int of a million digits": frame(pack([MARKS[Tag.INT], b"\x7f" * 415_000])),
    "a decimal of a million digits": frame(pack([MARKS[Tag.DECIMAL], "9" * 1_000_000])),
    "a complex number of text": frame(pack([MARKS[Tag.COMPLEX], "9" * 1_000, "9"])),
}  # fmt: skip


def read_all(data: bytes) -> int:
    """The items in a stream of bytes, up to the first that is none. Anything but a refusal is raised."""
    parser = FrameParser(max_frame_bytes=LIMIT)
    items = 0
    with contextlib.suppress(ConnectionLost, DecodeError):
        for at in range(0, len(data), 65_536):
            for flags, body in parser.feed(data[at : at + 65_536]):
                CODEC.decode(expand(bytes(body), LIMIT) if flags else body)
                items += 1
    return items


@pytest.mark.parametrize("name", CORPUS)
def test_hostile_bytes_are_items_or_a_refusal_and_stay_below_twice_the_limit(name: str) -> None:
    read_all(CORPUS[name])
    tracemalloc.start()

    is_value = read_all(CORPUS[name]) > 0

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < (CODEC.limits.max_memory_bytes if is_value else 2 * LIMIT + 512 * 1024), f"{peak:,} bytes"


def mutated(rng: random.Random) -> bytes:
    """One to four frames, good ones and hostile ones, of which some bytes are changed, cut out, put in or cut off."""
    data = bytearray(b"".join(rng.choice(GOOD if rng.random() < 0.7 else SHORT) for _ in range(rng.randint(1, 4))))
    for _ in range(rng.randint(0, 3)):
        at = rng.randrange(len(data)) if data else 0
        match rng.randrange(5):
            case 0 if data:
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                data[at:at] = rng.randbytes(rng.randint(1, 6))
            case 2:
                del data[at : at + rng.randint(1, 6)]
            case 3:
                data[2:6] = struct.pack(">I", rng.choice((rng.randrange(200), rng.randrange(2**32))))
            case _:
                del data[rng.randint(0, len(data)) :]
    return bytes(data)


SHORT = [data for data in CORPUS.values() if len(data) < 2_000]


def test_five_thousand_mutated_streams_are_items_or_refusals() -> None:
    rng = random.Random(31)

    items = sum(read_all(mutated(rng)) for _ in range(5_000))

    assert items > 1_000  # so that more than headers was read


@pytest.mark.slow
def test_two_million_mutated_streams_neither_crash_nor_hang_nor_grow(scale: int) -> None:
    rng = random.Random(32)
    for _ in range(20_000):
        read_all(mutated(rng))  # imports and caches are no growth
    before = reset_peak_rss()

    for _ in range(2_000_000 * scale):
        read_all(mutated(rng))

    assert rss("VmHWM") - before < 2 * LIMIT


def reset_peak_rss() -> int:
    """Begin a new peak; the bytes in memory now."""
    Path("/proc/self/clear_refs").write_text("5")
    return rss("VmRSS")


def rss(field: str) -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024


# Over real sockets

SUBJECTS: list[Callable[[Path], Subject]] = [subprocess_subject, unix_subject, tcp_subject]


async def serve(subject: Subject, data: bytes) -> int:
    """Send `data` from a bare socket and hang up; how many items came before the connection was over."""
    assert subject.raw_pair is not None
    items = 0
    async with subject.raw_pair(OPTIONS) as (victim, raw), anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.to_thread.run_sync, write_and_end, raw, data)
        with contextlib.suppress(EndOfItems, ConnectionLost):
            while True:
                await victim.receive()
                items += 1
        victim.close()
    return items


def write_and_end(raw: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):  # the other end may have had enough
        raw.sendall(data)
        raw.shutdown(socket.SHUT_WR)


@pytest.mark.anyio
@pytest.mark.usefixtures("leak_audit")
@pytest.mark.parametrize("subject", SUBJECTS)
async def test_a_hostile_peer_costs_its_own_connection_only(subject: Callable[[Path], Subject], tmp_path: Path) -> None:
    under_test = subject(tmp_path)
    streams = [*CORPUS.values(), *(SMALL[:keep] for keep in range(len(SMALL))), *(SMALL + SMALL[:3], SMALL * 3)]

    async with under_test.pair(OPTIONS) as (here, there):
        for number, data in enumerate(streams):
            await serve(under_test, data)
            await here.send(number)
            assert await there.receive() == number
        assert await serve(under_test, SMALL * 3) == 3


@pytest.mark.anyio
@pytest.mark.usefixtures("leak_audit")
@pytest.mark.parametrize("subject", SUBJECTS)
async def test_the_kind_of_refusal_is_told(subject: Callable[[Path], Subject], tmp_path: Path) -> None:
    raw_pair = subject(tmp_path).raw_pair
    assert raw_pair is not None
    for data, expected in (
        (b"GET / HTTP/1.1", BadFrame),
        (lie(2**32 - 1), FrameTooLarge),
        (frame(b"\xc1"), ConnectionLost),
    ):
        async with raw_pair(OPTIONS) as (victim, raw):
            raw.sendall(data)
            with pytest.raises(expected):
                await victim.receive()


GREETING: dict[str, Any] = Hello(role="worker").as_item()
SKEWED: list[Any] = [
    *(GREETING | {"version": version} for version in (-1, 0, 2, 2**63, "1", None, 1.0)),
    *(GREETING | {"protocol": protocol} for protocol in ("other", None, 7)),
    *(GREETING | {"max_frame_bytes": size} for size in (0, -1, "x")),
    *(GREETING | {"role": role} for role in ("nobody", None, ["worker"])),
    *({key: value for key, value in GREETING.items() if key != missing} for missing in GREETING),
    *(GREETING | {"more": 1}, [GREETING], None, 7, "hello", b"hello", {}),
]


@pytest.mark.anyio
@pytest.mark.usefixtures("leak_audit")
@pytest.mark.parametrize("subject", SUBJECTS)
async def test_a_peer_of_another_version_or_kind_is_refused_in_the_greeting(
    subject: Callable[[Path], Subject], tmp_path: Path
) -> None:
    raw_pair = subject(tmp_path).raw_pair
    assert raw_pair is not None
    for item in SKEWED:
        async with raw_pair(OPTIONS) as (victim, raw):
            raw.sendall(frame(CODEC.encode(item)))
            with pytest.raises(HandshakeRefused):
                await greet(victim, Hello(role="supervisor"), accepts=["worker"])
