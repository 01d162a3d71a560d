"""The codec gives back what it was given, type for type, and says what it cannot carry."""

from __future__ import annotations

import datetime as dt
import decimal
import math
import pathlib
import uuid
import zoneinfo
from typing import Any, cast

import pydantic
import pytest

from actorflow.actors.codec import Codec
from tests.actors.codec_types import (
    Bits,
    Colour,
    Counted,
    Fixed,
    Holder,
    Level,
    Loose,
    Mode,
    Narrow,
    Outer,
    Pair,
    Point,
    Private,
    Right,
    Row,
    Small,
    Tree,
    Validated,
)

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")

VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 127, -128, 2**63 - 1, -(2**63), 2**64 - 1, 2**64, -(2**64), 2**4000, -(2**4000)),
    *(
        0.0,
        -0.0,
        1.5,
        math.inf,
        -math.inf,
        5e-324,
        "",
        "é€😀",
        "\ud800 alone",
        "a\x00b",
        b"",
        b"\x00\xff",
        bytearray(b"x"),
    ),
    *([], [1, [2, [3]]], (), (1, (2,)), set(), {1, "a", (1, 2)}, frozenset({frozenset({1}), 2.5}), {}),
    {1: "int", (1, 2): "tuple", None: 0, 1.5: [], b"k": (), Level.LOW: 1, frozenset({1}): 2, True + 1: 3},
    {"plain": {"nested": (1, 2)}},
    *(dt.date.min, dt.date.max, dt.datetime.min, dt.datetime(2020, 2, 29, 23, 59, 59, 999_999)),
    dt.datetime(2020, 10, 25, 2, 30, fold=1, tzinfo=BERLIN),
    dt.datetime(2020, 1, 1, tzinfo=dt.UTC),
    dt.datetime(2020, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=-3, microseconds=5), "odd")),
    *(dt.time(1, 2, 3, 4, tzinfo=dt.UTC), dt.time(fold=1), dt.timedelta(-1, 3, 4), dt.timedelta.max, dt.timedelta.min),
    *(decimal.Decimal("-0.00"), decimal.Decimal("1E+999999"), decimal.Decimal("Infinity"), uuid.UUID(int=2**128 - 1)),
    *(pathlib.Path("/a/b"), pathlib.Path(), pathlib.PurePosixPath("a"), pathlib.PureWindowsPath("c:\\x")),
    *(1 + 2j, complex(-0.0, math.inf), range(0), range(1, 9, 2), range(5, 2**70, -3), slice(1, None, "x")),
    *(Colour.RED, Colour.DARK, Colour.CRIMSON, Level.HIGH, Mode.FAST, Right.READ, Right.READ | Right.WRITE, Right(0)),
    *(Bits.A | Bits.B, Bits(8), Point(1, [Colour.RED]), Pair(left=(1,), right={2}), Outer.Inner(n=4)),
    *(Row("a", when=dt.date(2020, 1, 1), tags=[(1,)]), Fixed(1, Fixed(2)), {Fixed(1): Fixed(2)}),
    *(Small(a=1, b="x", c=2.5), Loose(a=1, b=Narrow(a=2)), Tree({"a": 1}), Holder(items=[Narrow(a=1), Loose(a=2)])),
    [Small(a=number, b="x", c=2.5) for number in range(100)],
]


NAMES = [f"{type(value).__name__}-{number}" for number, value in enumerate(VALUES)]


@pytest.mark.parametrize("value", VALUES, ids=NAMES)
def test_a_value_comes_back_equal_and_of_its_own_type(value: Any) -> None:
    codec = Codec()

    back = codec.decode(codec.encode(value))

    assert same(back, value)


def same(left: Any, right: Any) -> bool:
    """Equal, and of equal types all the way down."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        left, right = list(cast("Any", left).items()), list(right.items())
    if isinstance(left, list | tuple):
        items: list[Any] = list(cast("Any", left))
        return len(items) == len(right) and all(map(same, items, right))
    if isinstance(left, float | complex | dt.datetime | dt.time | decimal.Decimal):
        return repr(left) == repr(right)  # tells -0.0 from 0.0, 1.0 from 1.00, and one fold or zone from another
    if hasattr(left, "__dict__") and not isinstance(left, type):
        return bool(left == right) and same(vars(left), vars(right))
    return bool(left == right)


def test_a_nan_comes_back_as_a_nan() -> None:
    codec = Codec()

    back = codec.decode(codec.encode([math.nan, decimal.Decimal("sNaN")]))

    assert str(back) == str([math.nan, decimal.Decimal("sNaN")])


def test_validators_do_not_run_again_and_a_kept_property_is_computed_anew() -> None:
    codec, model = Codec(), Validated(n=1)
    assert model.double == 4
    runs = Validated.runs

    back = codec.decode(codec.encode(model))

    assert isinstance(back, Validated)
    assert (back.n, back.double, Validated.runs) == (2, 4, runs)


def test_a_model_keeps_what_was_set_what_is_private_and_what_is_extra() -> None:
    codec, model = Codec(), Narrow.model_validate({"a": 1, "other": (1, 2)})
    model._secret = 9

    back = codec.decode(codec.encode(model))

    assert isinstance(back, Narrow)
    assert back == model
    assert (back.model_fields_set, back.model_extra, back._secret) == ({"a", "other"}, {"other": (1, 2)}, 9)


def test_a_model_built_without_its_fields_stays_so() -> None:
    codec, model = Codec(), Small.model_construct(a=1)

    back = codec.decode(codec.encode(model))

    assert isinstance(back, Small)
    assert vars(back) == {"a": 1}
    assert back.model_fields_set == {"a"}


def test_the_zone_pydantic_gives_a_parsed_time_stays_pydantics() -> None:
    codec = Codec()
    value = pydantic.TypeAdapter(dt.datetime).validate_python("2020-01-01T00:00:00+02:00")

    back = codec.decode(codec.encode(value))

    assert isinstance(back, dt.datetime)
    assert (back, type(back.tzinfo)) == (value, type(value.tzinfo))


def test_a_dataclass_keeps_what_post_init_added_and_runs_it_only_once() -> None:
    codec, value = Codec(), Counted(start=2)
    assert value.handle is value.handle
    runs = Counted.runs

    back = codec.decode(codec.encode(value))

    assert isinstance(back, Counted)
    assert (back.twice, back.seen, Counted.runs) == (4, [2], runs)
    assert "handle" not in vars(back)


def test_a_slot_that_is_no_field_travels_too() -> None:
    codec, value = Codec(), Private(shown=1)
    value.hide(7)

    back = codec.decode(codec.encode(value))

    assert isinstance(back, Private)
    assert (back.shown, back.hidden()) == (1, 7)


@pytest.mark.parametrize("key", [2**64, -(2**63) - 1, b"k" * 70_000], ids=["wide", "wide and negative", "large"])
@pytest.mark.parametrize("beside", [0, 70_000], ids=["small", "so large that it is looked through first"])
def test_a_key_that_is_no_plain_scalar_on_the_wire_comes_back_whatever_stands_beside_it(
    key: int | bytes, beside: int
) -> None:
    value: dict[object, object] = {key: 1, "beside": list(range(beside)), "deeper": [{key: None}] * 200}

    codec = Codec()

    assert codec.decode(codec.encode(value)) == value
