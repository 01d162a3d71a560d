"""Whatever bytes come in: a value or a DecodeError comes out, soon, and within the limits."""

from __future__ import annotations

import contextlib
import datetime as dt
import decimal
import random
import struct
import sys
import tracemalloc
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from actorflow.actors.codec import Codec, DecodeError, EncodeError, Limits
from actorflow.actors.codec.wire import MARKS, Tag, pack
from tests.actors.codec_types import Bits, Colour, Fixed, Holder, Loose, Narrow, Point, Right, Row, Small
from tests.actors.test_codec import VALUES, same

CODEC = Codec()
NARROW = Codec(limits=Limits(max_bytes=64 * 1024, max_depth=16, max_elements=2_000))

ZONES = (
    st.none()
    | st.just(dt.UTC)
    | st.timezones()
    | st.integers(-80_000, 80_000).map(lambda seconds: dt.timezone(dt.timedelta(seconds=seconds)))
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**300), 2**300),
    st.floats(allow_nan=False),
    st.text(st.characters(), max_size=20),
    st.text(st.characters(categories=["Cs", "Lu"]), max_size=5),
    st.binary(max_size=20),
    st.dates(),
    st.datetimes(timezones=ZONES, allow_imaginary=True),
    st.times(),
    st.timedeltas(),
    st.decimals(allow_nan=False),
    st.uuids(),
    st.complex_numbers(allow_nan=False),
    st.sampled_from([*Colour, *Right, Bits(3), Bits(0)]),
    st.builds(range, st.integers(), st.integers(), st.integers(1, 9)),
)
KEYS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3).map(tuple), st.builds(Fixed, inner, inner)),
    max_leaves=4,
)


def narrow(a: int, b: Any, more: dict[str, Any]) -> Narrow:
    return Narrow.model_validate({"a": a, "b": b, **more})


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=6),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.text(max_size=4), inner, max_size=5),
        st.dictionaries(KEYS, inner, max_size=4),
        st.sets(KEYS, max_size=4),
        st.frozensets(KEYS, max_size=4),
        st.builds(Point, st.integers(), inner),
        st.builds(Row, st.text(max_size=4), inner, st.lists(inner, max_size=2)),
        st.builds(Fixed, inner, inner),
        st.builds(narrow, st.integers(), inner, EXTRAS),
        st.builds(Holder, items=st.lists(st.builds(Loose, a=st.integers(), b=inner), max_size=2)),
    )


EXTRAS = st.dictionaries(st.sampled_from(["x", "y", "long name"]), LEAVES, max_size=2)
NESTED = st.recursive(LEAVES, containers, max_leaves=25)


@given(NESTED)
@settings(max_examples=200)
def test_any_nested_value_comes_back_equal_and_of_its_own_types(value: Any) -> None:
    assert same(CODEC.decode(CODEC.encode(value)), value)


def decodes_or_refuses(codec: Codec, data: bytes) -> None:
    """The whole promise about input: anything but DecodeError fails the test."""
    with contextlib.suppress(DecodeError):
        codec.decode(data)


def tagged(tag: Tag, *parts: object) -> bytes:
    return pack([MARKS[tag], *parts])


GARBAGE = st.binary(max_size=200)


@given(GARBAGE)
@example(b"")
@example(b"\xc1")
def test_garbage_is_a_value_or_a_decode_error(data: bytes) -> None:
    decodes_or_refuses(NARROW, data)


PARTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.binary(max_size=9)
    | st.sampled_from(["", "a", "UTC", "PosixPath", "WindowsPath", "../../etc/passwd", "builtins:int", "os:system"])
    | st.sampled_from([f"{Row.__module__}:{name}" for name in ("Row", "Colour", "Bits", "Loose", "Point", "Outer.x")])
    | st.sampled_from([MARKS[tag] for tag in Tag]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abx", max_size=2), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


@given(tag=st.sampled_from(Tag), parts=st.lists(PARTS, max_size=9))
@settings(max_examples=200)
def test_any_parts_behind_any_tag_are_a_value_or_a_decode_error(tag: Tag, parts: list[Any]) -> None:
    decodes_or_refuses(NARROW, tagged(tag, *parts))


GOOD = [CODEC.encode(value) for value in VALUES]


def damaged(good: bytes, rng: random.Random) -> bytes:
    """Bits flipped, bytes cut out or put in, the tail cut off."""
    data = bytearray(good)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data)) if data else 0
        match rng.randrange(4):
            case 0 if data:
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                data[at:at] = rng.randbytes(rng.randint(1, 6))
            case 2:
                del data[at : at + rng.randint(1, 6)]
            case _:
                data = data[: rng.randint(0, len(data))]
    return bytes(data)


def test_two_thousand_damaged_values_are_values_or_decode_errors() -> None:
    rng = random.Random(11)

    for _ in range(2_000):
        decodes_or_refuses(NARROW, damaged(rng.choice(GOOD), rng))


@pytest.mark.slow
def test_two_million_damaged_values_are_values_or_decode_errors(scale: int) -> None:
    rng = random.Random(12)

    for _ in range(2_000_000 * scale):
        decodes_or_refuses(NARROW, damaged(rng.choice(GOOD), rng))


@pytest.mark.parametrize("good", GOOD, ids=range(len(GOOD)))
def test_no_truncation_of_a_value_decodes(good: bytes) -> None:
    for keep in range(min(len(good), 400)):
        with pytest.raises(DecodeError):
            CODEC.decode(good[:keep])


def test_bytes_after_a_value_are_refused() -> None:
    for data in (b"\xc0\xc0", pack([1] * 70_000) + b"\xc0", tagged(Tag.TUPLE, 1) + b"\x00"):
        with pytest.raises(DecodeError):
            CODEC.decode(data)


MIB = 1024 * 1024
HUGE: dict[str, tuple[bytes, str]] = {
    "16 M empty maps": (b"\xdd" + struct.pack(">I", 16 * MIB) + b"\x80" * 16 * MIB, "more elements"),
    "16 M empty maps in arrays": ((b"\xdc\xff\xff" + b"\x80" * 0xFFFF) * 2, "follow the value"),
    "empty maps, two levels": (b"\xdc\x00\x40" + (b"\xdc\xff\xff" + b"\x80" * 0xFFFF) * 64, "more elements"),
    "empty arrays as pairs": (b"\xdf" + struct.pack(">I", 8 * MIB) + b"\xc0\x90" * 8 * MIB, "more elements"),
    "an array of 4 G": (b"\xdd\xff\xff\xff\xff", "cut short|DecodeError|malformed"),
    "a map of 4 G": (b"\xdf\xff\xff\xff\xff", "cut short|malformed"),
    "a string of 4 G": (b"\xdb\xff\xff\xff\xff" + b"x" * MIB, "cut short"),
    "nested arrays that all lie": (b"\xdd\x00\xff\xff\xff" * 120 + b"\x00" * MIB, "cut short|more elements"),
    "depth 1,000": (b"\x91" * 1_000 + b"\xc0", "nested deeper"),
    "depth 100,000": (b"\x91" * 100_000 + b"\xc0", "nested deeper"),
    "depth 100,000 of maps": (b"\x81\xa0" * 100_000 + b"\xc0", "nested deeper"),
    "depth 100,000 cut short": (b"\x91" * 100_000, "nested deeper"),
    "a key that is a list": (b"\xde\x00\x80" + b"\x90\xc0" * 128, "no scalar|malformed"),
    "an unknown extension": (b"\xc7\x00\x7f", "unknown extension"),
    "an extension with data": (b"\xc7\x04\x01abcd", "unknown extension"),
    "a fixed extension": (b"\xd4\x01x", "unknown extension"),
    "msgpack's own timestamp": (b"\xd6\xff\x00\x00\x00\x01", "unknown extension"),
    "msgpack's long timestamp": (b"\xd7\xff" + b"\x00" * 8, "unknown extension"),
    "msgpack's longest timestamp": (b"\xc7\x0c\xff" + b"\x00" * 12, "unknown extension"),
    "a reserved byte": (b"\x92\x01\xc1", "malformed|unknown"),
    "invalid UTF-8": (b"\xa2\xff\xfe", "malformed"),
    "a tag alone": (b"\xc7\x00\x01", "no tag may"),
    "a tag in second place": (b"\x92\x01\xc7\x00\x01", "no tag may"),
    "a tag as a key": (b"\x81\xc7\x00\x01\x01", "no tag may"),
    "a tag as a value": (b"\x81\x01\xc7\x00\x01", "no tag may"),
    "a key twice": (tagged(Tag.DICT, 1, 2, 1, 3), "at tag DICT .* stands there twice"),
    "an element twice": (tagged(Tag.SET, 1, 1), "at tag SET .* stands there twice"),
    "a type that is a function": (tagged(Tag.DATACLASS, "os:system", {}), "has no class system"),
    "a type of another kind": (tagged(Tag.MODEL, "builtins:dict", {}), "is no model"),
    "a module that is not imported": (tagged(Tag.MODEL, "antigravity:X", {}), "is not imported here"),
    "a class attribute as a type": (tagged(Tag.ENUM, "enum:Enum.__doc__", "x"), "has no class"),
    "an unknown zone": (tagged(Tag.DATETIME, 2020, 1, 1, 0, 0, 0, 0, 0, "Nowhere/At/All"), "at tag DATETIME"),
    "a zone outside its folder": (tagged(Tag.DATETIME, 2020, 1, 1, 0, 0, 0, 0, 0, "../../../etc/passwd"), "at tag"),
    "a date out of range": (tagged(Tag.DATE, 10**9), "at tag DATE of 1 elements: ValueError|OverflowError"),
    "a length that fits no memory": (b"\xc6\xff\xff\xff\xff", "malformed|cut short"),
}  # fmt: skip


@pytest.mark.parametrize("name", HUGE)
def test_hostile_input_is_refused_without_growing(name: str) -> None:
    data, says = HUGE[name]
    tracemalloc.start()

    with pytest.raises(DecodeError, match=says):
        CODEC.decode(data)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < len(data) + 2 * MIB
    assert "antigravity" not in sys.modules


def test_what_the_limits_allow_stays_below_the_memory_they_state() -> None:
    limits = Limits(max_bytes=MIB // 4, max_elements=20_000)
    codec = Codec(limits=limits)
    worst = [
        b"\xdd" + struct.pack(">I", 19_999) + b"\x80" * 19_999,
        b"\xdd" + struct.pack(">I", 19_999) + b"\x90" * 19_999,
        b"\xdd" + struct.pack(">I", 19_999) + b"\xa3abc" * 19_999,
        pack("\U0001f600" + "a" * (MIB // 4 - 100)),
        pack(list(range(10**9, 10**9 + 19_000))),
    ]
    tracemalloc.start()

    for data in worst:
        codec.decode(data)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * limits.max_memory_bytes


def test_input_above_the_byte_limit_is_refused_unread() -> None:
    with pytest.raises(DecodeError, match="65,537 bytes are more than the limit of 65,536"):
        NARROW.decode(b"\xc0" * (64 * 1024 + 1))


def test_numbers_of_a_million_digits_come_back() -> None:
    big = int.from_bytes(b"\x7f" * MIB, "little")

    assert CODEC.decode(tagged(Tag.INT, b"\x7f" * MIB)) == big
    assert CODEC.decode(tagged(Tag.DECIMAL, "9" * MIB)) == decimal.Decimal("9" * MIB)


@pytest.mark.parametrize("tag", [Tag.SET, Tag.FROZENSET, Tag.DICT])
def test_keys_made_to_share_one_hash_are_refused(tag: Tag) -> None:
    step = sys.hash_info.modulus
    keys = [[MARKS[Tag.INT], (step * number).to_bytes(16, "little")] for number in range(1, 2_001)]

    with pytest.raises(DecodeError, match="share one hash"):
        CODEC.decode(tagged(tag, *keys))


@given(st.integers(0, 30))
def test_what_encodes_within_narrow_limits_decodes_within_them(levels: int) -> None:
    value: Any = Small(a=1, b="x", c=2.0)
    for _ in range(levels):
        value = [value, (1, 2)]
    try:
        data = NARROW.encode(value)
    except EncodeError:
        assert levels >= 16
        return
    assert NARROW.decode(data) == value
