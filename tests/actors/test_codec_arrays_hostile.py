"""What is forged about an array or a table is refused before room is made for it, and no damage ends the process."""

from __future__ import annotations

import contextlib
import json
import random
import sys
import tracemalloc
import warnings
from typing import Any

import pytest

from actorflow.actors.codec import Codec, DecodeError, Limits
from actorflow.actors.codec.wire import BODIES_HEAD, MARKS, Body, Tag, pack, pack_with_bodies
from tests.actors.array_values import TABLE, VALUES, np, pa, pd

MIB = 1024 * 1024
NARROW = Codec(limits=Limits(max_bytes=MIB, max_elements=20_000))
BIG = b"\x01" * 100_000


def array(spec: object, shape: object, data: object, order: object = "C") -> bytes:
    return pack_with_bodies([MARKS[Tag.NDARRAY], spec, shape, order, data])


def pandas(kind: object, *parts: Any) -> bytes:
    return pack([MARKS[Tag.PANDAS], kind, *parts])


def numbers(*values: int) -> list[object]:
    return [MARKS[Tag.NDARRAY], "<i8", [len(values)], "C", b"".join(n.to_bytes(8, "little") for n in values)]


def index(count: int) -> list[object]:
    return [MARKS[Tag.PANDAS], "range", 0, count, 1, None]


def stream(table: Any, **options: Any) -> bytes:
    """An Arrow IPC stream as somebody else may write it."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def ipc(table: Any, kind: str = "table", **options: Any) -> bytes:
    return pack([MARKS[Tag.ARROW], kind, stream(table, **options)])


COLLIDING: list[object] = [
    MARKS[Tag.PANDAS],
    "object",
    [[MARKS[Tag.INT], (sys.hash_info.modulus * n).to_bytes(16, "little")] for n in range(1, 200)],
]


def endless_nulls() -> bytes:
    """A column of nulls, which needs no bytes, of any length."""
    return ipc(pa.table({"a": pa.nulls(77_777)})).replace((77_777).to_bytes(8, "little"), (2**40).to_bytes(8, "little"))


def glued(data: bytes, *, extra: bytes) -> bytes:
    return pack_with_bodies([Body(Tag.BODY, data)]) + extra


WIDE = json.dumps(
    {"names": ["a"], "formats": ["<i8"], "offsets": [2**40], "titles": [None], "itemsize": 2**41, "aligned": False}
)
OBJECT_FIELD = json.dumps(
    {"names": ["a"], "formats": ["|O"], "offsets": [0], "titles": [None], "itemsize": 8, "aligned": False}
)
FORGED: dict[str, tuple[bytes, str]] = {
    "an object dtype": (array("|O", [1], b"\x00" * 8), "no dtype that may travel"),
    "an object dtype by name": (array("object", [1], b"\x00" * 8), "no dtype that may travel"),
    "an object in a field": (array(OBJECT_FIELD, [1], b"\x00" * 8), "no dtype that may travel"),
    "a dtype of many": (array("<i8,<i8", [1], b"\x00" * 16), "no dtype that may travel"),
    "a dtype of another type": (array(7, [1], b""), "a dtype is no text"),
    "a dtype nested too deep": (array("[" * 100_000, [1], b""), "RecursionError|Expecting"),
    "a shape of too much": (array("<f8", [2**40], b"\x00" * 8), "are not the"),
    "a shape that overflows": (array("<f8", [2**62, 2**62], b""), "are not the"),
    "a shape below zero": (array("<f8", [-1], b""), "no list of sizes"),
    "a shape of floats": (array("<f8", [1.0], b"\x00" * 8), "no list of sizes"),
    "too many dimensions": (array("<f8", [1] * 65, b"\x00" * 8), "no shape"),
    "a size of no bytes": (array("|S0", [2**40], b""), "more elements than the limit"),
    "a wide field": (array(WIDE, [2**20], b""), "are not the|at tag NDARRAY"),
    "a wrong order": (array("<i1", [1], b"\x00", "K"), "no shape or order"),
    "text as bytes": (array("<i1", [1], "x"), "is no bytes"),
    "characters that are none": (array("<U1", [1], b"\xff" * 4), "a character is none"),
    "strings that are none": (array("T", [1], [[False, None, True], [7]]), "int among strings"),
    "a scalar of another size": (pack([MARKS[Tag.NUMPY_SCALAR], "<f8", b"\x00"]), "not the 8 bytes"),
    "a str that is bytes": (pack([MARKS[Tag.NUMPY_SCALAR], "str_", b"x"]), "bytes is no str_"),
    "a body that is not there": (pack([MARKS[Tag.BODY], 10]), "cut short"),
    "a body of less than nothing": (pack([MARKS[Tag.BODY], -1]), "cut short"),
    "a body announced twice": (array("<i1", [1], [MARKS[Tag.BUFFER], 2**40]), "cut short"),
    "a buffer outside an array": (pack_with_bodies([Body(Tag.BUFFER, BIG)]), "a buffer stands where no buffer may"),
    "bytes behind the last body": (glued(BIG, extra=b"x"), "1 bytes follow the last body"),
    "a body cut short": (glued(BIG, extra=b"")[:-1], "cut short"),
    "a head alone": (bytes([BODIES_HEAD]), "cut short"),
    "a head that lies": (bytes([BODIES_HEAD]) + b"\xff\xff\xff\xff", "cut short"),
    "no bodies behind a head": (bytes([BODIES_HEAD]) + b"\x00\x00\x00\x01\xc0x", "follow the last body"),
    "compressed tables": (ipc(TABLE.select(["text"]), compression="zstd"), "is compressed"),
    "a compressed bomb": (ipc(pa.table({"a": pa.array(np.zeros(10_000_000))}), compression="lz4"), "is compressed"),
    "a compressed dictionary": (ipc(TABLE.select(["dictionary"]), compression="zstd"), "is compressed"),
    "an extension type": (
        ipc(pa.table({"a": pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"x" * 16], pa.binary(16)))})),
        "extension type",
    ),
    "nulls without end": (endless_nulls(), "more elements than its bytes can hold"),
    "a table as an array": (ipc(pa.table({"a": [1]}), "array of arrays"), "no kind of an Arrow value"),
    "no Arrow stream": (pack([MARKS[Tag.ARROW], "table", b"nothing of the kind"]), "at tag ARROW"),
    "an unknown kind": (pandas("pickle", b"x"), "no kind of a pandas value"),
    "columns of other lengths": (
        pandas("frame", index(2), index(1), None, True, [numbers(1, 2, 3)]),
        "at tag PANDAS .* ValueError",
    ),
    "a column that is no array": (pandas("frame", index(1), index(1), None, True, ["abc"]), "str where an array"),
    "an index that is none": (pandas("frame", [1], index(1), None, True, []), "list where"),
    "codes without a category": (pandas("categories", numbers(5), index(2), False), "at tag PANDAS"),
    "codes without a level": (pandas("multi", [index(2)], [numbers(7)], [None]), "at tag PANDAS"),
    "an unknown unit": (pandas("timestamp", 0, "weeks", None, 0), "no unit of time"),
    "a frequency of numbers": (pandas("index", "Index", None, numbers(1), "D"), "a frequency where there is none"),
    "labels that share a hash": (pandas("index", "Index", None, COLLIDING, None), "share one hash"),
    "too many names": (pack([MARKS[Tag.POLARS], "frame", ["a", "b"], stream(pa.table({"0": [1]}))]), "not one name"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
def test_what_is_forged_is_refused_without_growing(name: str) -> None:
    data, says = FORGED[name]
    with contextlib.suppress(DecodeError):
        Codec().decode(data)  # imports what it needs
    tracemalloc.start()

    with pytest.raises(DecodeError, match=says):
        Codec().decode(data)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * len(data) + 2 * MIB


@pytest.mark.parametrize("kind", VALUES)
def test_no_truncation_of_an_array_or_a_table_decodes(kind: str) -> None:
    good = min((Codec().encode(value) for value in VALUES[kind]), key=len)

    for keep in range(len(good)):
        with pytest.raises(DecodeError):
            Codec().decode(good[:keep])


GOOD = {
    kind: [data for value in values if len(data := Codec().encode(value)) < 20_000] for kind, values in VALUES.items()
}


def flipped(good: bytes, rng: random.Random) -> bytes:
    """Some bits flipped where they do most harm: behind the tags, where only the libraries can tell."""
    data = bytearray(good)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(min(20, len(data) - 1), len(data))
        data[at] ^= 1 << rng.randrange(8)
    return bytes(data)


def decode_flipped(kind: str, count: int, rng: random.Random) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas warns of dates that nobody meant
        for _ in range(count):
            with contextlib.suppress(DecodeError):
                NARROW.decode(flipped(rng.choice(GOOD[kind]), rng))


@pytest.mark.parametrize("kind", VALUES)
def test_damaged_arrays_and_tables_are_values_or_decode_errors(kind: str) -> None:
    decode_flipped(kind, 150, random.Random(21))


@pytest.mark.slow
@pytest.mark.parametrize("kind", VALUES)
def test_many_damaged_arrays_and_tables_are_values_or_decode_errors(kind: str, scale: int) -> None:
    decode_flipped(kind, 10_000 * scale, random.Random(22))


def test_labels_that_are_equal_are_no_flood() -> None:
    labels = pd.Index([-1, -2] * 500, dtype=object)

    back = Codec().decode(Codec().encode(labels))

    assert isinstance(back, pd.Index)
    assert labels.equals(back)


def test_an_array_above_the_limit_is_refused_on_both_sides() -> None:
    codec = Codec(limits=Limits(max_bytes=100_000))

    with pytest.raises(Exception, match="more than the limit of 100,000"):
        codec.encode(np.zeros(20_000))
    with pytest.raises(DecodeError, match="more than the limit of 100,000"):
        codec.decode(Codec().encode(np.zeros(20_000)))
