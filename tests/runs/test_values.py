"""Values are lazy both ways, and have a plain JSON form even where their classes are unknown."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, Flag
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import numpy
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorflow.actors.codec import Codec, DecodeError, EncodeError
from actorflow.runs.plain_json import plain, plain_value
from actorflow.runs.unresolved import read_unresolved
from actorflow.runs.values import Value


class Colour(Enum):
    red = "RED"


class Access(Flag):
    read = 1
    write = 2


class Place(NamedTuple):
    x: int
    y: int


@dataclass(frozen=True)
class Report:
    path: Path
    lines: int


class Summary(pydantic.BaseModel):
    when: datetime
    reports: list[Report]
    ratio: float = 0.5


class Counting(Codec):
    """A codec that counts its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.encoded = 0
        self.decoded = 0

    def encode(self, value: object, name: str = "value") -> bytes:
        self.encoded += 1
        return super().encode(value, name)

    def decode(self, data: bytes | bytearray) -> object:
        self.decoded += 1
        return super().decode(data)


def test_an_object_is_handed_out_as_itself_and_never_encoded_unasked() -> None:
    codec = Counting()
    held = [object()]

    assert Value.of(held, codec).get() is held
    assert (codec.encoded, codec.decoded) == (0, 0)


def test_encoding_happens_once() -> None:
    codec = Counting()
    value = Value.of([1, 2], codec)

    assert value.data() == value.data()
    assert value.size_bytes == len(value.data())
    assert codec.encoded == 1


def test_bytes_pass_through_without_being_decoded() -> None:
    codec = Counting()

    assert Value.from_bytes(b"anything", codec).data() == b"anything"
    assert codec.decoded == 0


def test_decoding_happens_once_and_hands_out_one_object() -> None:
    codec = Counting()
    value = Value.from_bytes(codec.encode([1]), codec)

    assert value.get() is value.get()
    assert codec.decoded == 1


def test_none_is_a_value_like_any_other() -> None:
    codec = Counting()
    value = Value.from_bytes(codec.encode(None), codec)

    assert value.get() is None
    assert value.get() is None
    assert codec.decoded == 1


def test_object_and_bytes_both_count_as_held() -> None:
    value = Value.of(b"x" * 100)
    encoded = Value.from_bytes(value.data())

    assert value.held_bytes == 2 * value.size_bytes
    assert encoded.held_bytes == value.size_bytes


def test_values_are_equal_when_their_bytes_are() -> None:
    assert Value.of([1]) == Value.from_bytes(Value.of([1]).data())
    assert hash(Value.of([1])) == hash(Value.of([1]))
    assert Value.of([1]) != Value.of([2])
    assert Value.of(1) != 1


def test_what_cannot_be_encoded_is_named_by_its_path() -> None:
    with pytest.raises(EncodeError) as caught:
        Value.of({"rows": [1, object()]}).data()

    assert caught.value.path == "result['rows'][1]"


def test_damaged_bytes_are_a_decode_error() -> None:
    with pytest.raises(DecodeError):
        Value.from_bytes(b"\xc1").get()


def test_the_repr_decodes_nothing() -> None:
    codec = Counting()

    assert repr(Value.from_bytes(b"abc", codec)) == "Value(3 bytes)"
    assert repr(Value.of([1], codec)) == "Value([1])"
    assert (codec.encoded, codec.decoded) == (0, 0)


WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
REPORT = Report(Path("a/b"), 3)
PLAIN: list[tuple[object, object]] = [
    (None, None),
    (True, True),
    (3, 3),
    (1.5, 1.5),
    (float("nan"), "nan"),
    (float("-inf"), "-inf"),
    ("text", "text"),
    ((1, [2]), [1, [2]]),
    ({1}, [1]),
    ({3: "a", (1, 2): "b", None: "c"}, {"3": "a", "[1, 2]": "b", "None": "c"}),
    (b"\xff", "/w=="),
    (bytearray(b"\xff"), "/w=="),
    (Path("/tmp/x"), "/tmp/x"),
    (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (Decimal("1.10"), "1.10"),
    (WHEN, "2026-01-02T03:04:05+00:00"),
    (date(2026, 1, 2), "2026-01-02"),
    (timedelta(minutes=1), 60.0),
    (range(3), "range(0, 3)"),
    (1 + 2j, "(1+2j)"),
    *((numpy.int8(3), 3), (numpy.float32(0.5), 0.5), (numpy.bool_(True), True), (numpy.float64("nan"), "nan")),
    *((numpy.str_("x"), "x"), (numpy.datetime64("2026-01-02"), "2026-01-02"), (numpy.longdouble(1), "1.0")),
    (Colour.red, "RED"),
    (Place(1, 2), {"x": 1, "y": 2}),
    (REPORT, {"path": "a/b", "lines": 3}),
    (
        Summary(when=WHEN, reports=[REPORT]),
        {"when": "2026-01-02T03:04:05Z", "reports": [{"path": "a/b", "lines": 3}], "ratio": 0.5},
    ),
]


@pytest.mark.parametrize(("value", "expected"), PLAIN, ids=lambda value: type(value).__name__)
def test_a_value_has_a_plain_json_form(value: object, expected: object) -> None:
    assert plain(value) == expected
    assert plain_value(Value.from_bytes(Value.of(value).data())) == expected


def test_any_other_object_is_shown_by_its_repr() -> None:
    class Odd:
        def __repr__(self) -> str:
            return "odd"

    class Broken:
        def __repr__(self) -> str:
            raise ValueError

    assert plain(Odd()) == "odd"
    assert plain([Broken()]) == ["<test_any_other_object_is_shown_by_its_repr.<locals>.Broken>"]


UNRESOLVED: list[tuple[object, object]] = [
    (Colour.red, "red"),
    (Access.read | Access.write, 3),
    (Place(1, 2), [1, 2]),
    (REPORT, {"path": "a/b", "lines": 3}),
    (
        Summary(when=WHEN, reports=[REPORT]),
        {"when": "2026-01-02T03:04:05+00:00", "reports": [{"path": "a/b", "lines": 3}], "ratio": 0.5},
    ),
    ([REPORT, numpy.zeros((2, 3))], [{"path": "a/b", "lines": 3}, "<numpy array of <f8, 2 x 3>"]),
    (
        [Colour.red, b"x" * 100_000, bytearray(b"x"), bytearray(100_000)],
        ["red", "<100,000 bytes>", "eA==", "<100,000 bytes>"],
    ),
    ({REPORT: {Colour.red}}, {"{'path': PosixPath('a/b'), 'lines': 3}": ["red"]}),
]


@pytest.mark.parametrize(("value", "expected"), UNRESOLVED, ids=lambda value: type(value).__name__)
def test_a_value_is_shown_without_the_classes_it_names(value: object, expected: object) -> None:
    assert plain(read_unresolved(Value.of(value).data())) == expected


def test_a_process_that_never_imported_the_classes_shows_the_value(tmp_path: Path) -> None:
    (tmp_path / "users_module.py").write_text(
        "from dataclasses import dataclass\n@dataclass\nclass Row:\n    n: int\n    name: str\n"
    )
    encode = "import users_module, sys; from actorflow.runs.values import Value; "
    encode += "sys.stdout.buffer.write(Value.of([users_module.Row(1, 'a')]).data())"
    data = subprocess.run([sys.executable, "-c", encode], cwd=tmp_path, capture_output=True, check=True).stdout

    assert plain_value(Value.from_bytes(data)) == [{"n": 1, "name": "a"}]


@given(st.binary(max_size=60))
def test_reading_without_classes_raises_nothing_but_decode_errors(data: bytes) -> None:
    try:
        read_unresolved(data)
    except DecodeError:
        return


leaves: st.SearchStrategy[object] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(),
    st.dates(),
    st.timedeltas(),
    st.uuids(),
    st.decimals(allow_nan=False),
)
everything = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(leaves, inner, max_size=3)
        | st.sets(leaves, max_size=3)
    ),
    max_leaves=10,
)


@given(everything)
def test_every_value_has_a_form_that_json_can_write(value: object) -> None:
    json.dumps(plain(value), allow_nan=False)
