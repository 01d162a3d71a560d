"""Results of a map are kept small, and are got as they were set."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from actorflow.actors.codec import Codec
from actorflow.runs.results import SMALL_BYTES, Results
from actorflow.runs.values import Value

OBJECTS = [
    None,
    True,
    0,
    2**80,
    -0.5,
    "text",
    "",
    "x" * 2 * SMALL_BYTES,
    b"bytes",
    b"",
    [1, 2],
    {"a": 1},
    datetime(2026, 11, 21, tzinfo=UTC),
]


def encoded(value: object) -> Value:
    """As a body in this process hands it over."""
    made = Value.of(value)
    made.data()
    return made


def received(value: object) -> Value:
    """As a worker's answer brings it, or a row of the journal."""
    return Value.from_bytes(Value.of(value).data())


def kept(results: Results) -> list[object]:
    return results._kept  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize("made", [encoded, received, Value.of])
@pytest.mark.parametrize("value", OBJECTS, ids=lambda value: repr(value)[:20])
def test_a_result_is_got_as_it_was_set(value: object, made: Callable[[object], Value]) -> None:
    results = Results(3)

    results[1] = made(value)

    found = results[1]
    assert found is not None
    assert (found.get(), type(found.get())) == (value, type(value))
    assert found.data() == Value.of(value).data()
    assert results.objects() == [None, value, None]
    assert (results[0], results[2]) == (None, None)


@pytest.mark.parametrize(
    "value",
    [Value.of(7), encoded("x" * 2 * SMALL_BYTES), encoded([1]), encoded(b"bytes"), received("x" * 2 * SMALL_BYTES)],
    ids=["not encoded", "large", "may be changed", "bytes", "large, not decoded"],
)
def test_what_could_not_be_made_again_is_kept_itself(value: Value) -> None:
    results = Results(2)

    results[0] = value

    assert results[0] is value


def test_a_value_of_another_codec_is_kept_itself() -> None:
    value = Value.of(7, Codec())
    value.data()
    results = Results(2)

    results[0] = value

    assert results[0] is value


def test_small_results_are_kept_without_a_value() -> None:
    results = Results(2)

    results[0] = encoded(1000)
    results[1] = received([1, 2])

    assert kept(results) == [1000, Value.of([1, 2]).data()]


def test_the_result_of_a_single_instance_is_the_very_value() -> None:
    value = encoded(1000)
    results = Results(1)

    results[0] = value

    assert results[0] is value


def test_a_result_can_be_let_go_of() -> None:
    results = Results(2)
    results[0] = encoded(1000)

    results[0] = None

    assert results[0] is None
    assert kept(results)[0] is not None, "None is a result like any other"


def test_a_list_that_is_got_twice_is_decoded_anew_each_time() -> None:
    results = Results(2)
    results[0] = received([1, 2])

    first, second = results.objects()[0], results.objects()[0]

    assert first == second
    assert first is not second


@dataclasses.dataclass(frozen=True)
class Point:
    x: int


def test_an_instance_of_a_class_is_kept_itself() -> None:
    value = encoded(Point(1))
    results = Results(2)

    results[0] = value

    assert results[0] is value
