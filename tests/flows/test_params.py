"""Values of parameters are read by their annotations and keep their source; a wrong one is told with its type."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, NewType, Optional
from uuid import UUID

import pytest
from annotated_types import Gt
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from actorflow.flows.dag import dag
from actorflow.flows.faults import Code, FlowFaults
from actorflow.flows.graph import ParamSpec
from actorflow.flows.params import BoundParam, bind_params, parse_params
from actorflow.flows.values_from_text import parse_texts

Meters = NewType("Meters", int)


class Colour(Enum):
    red = "rot"
    blue = "blau"


class Level(Enum):
    low = 1
    high = 2


class Order(BaseModel):
    id: int
    amount: Decimal = Decimal(0)


@dataclass
class Window:
    start: date
    days: int = 1


class Unreadable: ...


READ: list[tuple[str, object, object]] = [
    ("abc", str, "abc"),
    ("12", str, "12"),
    ("", str, ""),
    ("12", int, 12),
    ("-3", int, -3),
    ("0.5", float, 0.5),
    ("1e3", float, 1000.0),
    ("true", bool, True),
    ("No", bool, False),
    ("1", bool, True),
    ("off", bool, False),
    ("a/b.csv", Path, Path("a/b.csv")),
    ("2026-11-21", date, date(2026, 11, 21)),
    ("2026-11-21T14:30:00+00:00", datetime, datetime(2026, 11, 21, 14, 30, tzinfo=UTC)),
    ("14:30", time, time(14, 30)),
    ("1h30m", timedelta, timedelta(minutes=90)),
    ("rot", Colour, Colour.red),
    ("blue", Colour, Colour.blue),
    ("2", Level, Level.high),
    ("fast", Literal["fast", "slow"], "fast"),
    ("3", Literal[1, 3], 3),
    ("red", Literal[Colour.red], Colour.red),
    ("none", Optional[int], None),  # noqa: UP045 - both spellings are to work
    ("null", str | None, None),
    ("none", str | None, "none"),
    ("5", int | None, 5),
    ("5", str | int, 5),
    ("x5", str | int, "x5"),
    ("2026-11-21", int | date, date(2026, 11, 21)),
    ("7", Meters, 7),
    ("a,b", list[str], ["a", "b"]),
    ("1, 2,3", list[int], [1, 2, 3]),
    ("", list[int], []),
    ("[1, 2]", list[int], [1, 2]),
    ("1,2", tuple[int, ...], (1, 2)),
    ("1,a", tuple[int, str], (1, "a")),
    ("1,1", set[int], {1}),
    ("a,b", list[Path], [Path("a"), Path("b")]),
    ("rot,blau", list[Colour], [Colour.red, Colour.blue]),
    ("a,b", list, ["a", "b"]),
    ("anything", Any, "anything"),
    ('{"id": 3}', Order, Order(id=3)),
    ('{"start": "2026-01-01"}', Window, Window(date(2026, 1, 1))),
    ('{"a": 1}', dict[str, int], {"a": 1}),
    ('[{"id": 1}, {"id": 2}]', list[Order], [Order(id=1), Order(id=2)]),
    ("12.3400000000000000000001", Decimal, Decimal("12.3400000000000000000001")),
    ("00000000-0000-0000-0000-000000000003", UUID, UUID(int=3)),
    ("4", Annotated[int, Gt(3)], 4),
    ("b", Annotated[str, "kept"], "b"),
]


@pytest.mark.parametrize(("text", "annotation", "expected"), READ)
def test_a_text_is_read_by_the_annotation(text: str, annotation: object, expected: object) -> None:
    value = parse_texts([text], annotation)

    assert value == expected
    assert type(value) is type(expected)


REFUSED: list[tuple[str, object, str]] = [
    ("ten", int, "whole number"),
    ("1.5", int, "whole number"),
    ("", int, "whole number"),
    ("much", float, "write a number"),
    ("perhaps", bool, "true or false"),
    ("yesterday", date, "2026-11-21"),
    ("now", datetime, "2026-11-21T14:30"),
    ("noon", time, "14:30"),
    ("soon", timedelta, "is no duration"),
    ("green", Colour, "one of rot, blau"),
    ("quick", Literal["fast", "slow"], "one of fast, slow"),
    ("many", int | None, "whole number"),
    ("x", int | date, "whole number.*or write a date"),
    ("1,b", list[int], "whole number"),
    ("1,2,3", tuple[int, str], "write 2 values"),
    ('{"id": "x"}', Order, "id: "),
    ("{id: 3}", Order, "starts like JSON"),
    ("3", Annotated[int, Gt(3)], "greater than 3"),
    ("abc", Decimal, "write a number, such as 0.5"),
    ("x", Unreadable, r"`.bind\(...\)`"),
]


@pytest.mark.parametrize(("text", "annotation", "why"), REFUSED)
def test_a_text_that_is_no_value_of_the_annotation_is_refused(text: str, annotation: object, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_texts([text], annotation)


def test_an_option_given_several_times_is_a_list_or_its_last_value() -> None:
    assert parse_texts(["1", "2"], list[int]) == [1, 2]
    assert parse_texts(["a,b", "c"], list[str]) == ["a,b", "c"]
    assert parse_texts(["1", "2"], int) == 2
    assert parse_texts(["1,2"], list[int]) == [1, 2]


@given(st.integers())
def test_any_whole_number_is_read_back(number: int) -> None:
    assert parse_texts([str(number)], int) == number


@given(st.floats(allow_nan=False))
def test_any_number_is_read_back(number: float) -> None:
    assert parse_texts([repr(number)], float) == number


@given(st.dates() | st.datetimes(timezones=st.just(UTC)))
def test_any_date_is_read_back(value: date) -> None:
    assert parse_texts([value.isoformat()], type(value)) == value


@given(st.lists(st.integers(), min_size=1))
def test_any_list_of_numbers_is_read_back_from_commas_and_from_json(numbers: list[int]) -> None:
    assert parse_texts([",".join(map(str, numbers))], list[int]) == numbers
    assert parse_texts([str(numbers)], list[int]) == numbers


@dag
def pipeline(root: Path, top: int = 10, title: str | None = None) -> None:
    return None


def specs() -> Sequence[ParamSpec]:
    return pipeline.graph.params


def test_parsed_values_keep_their_source() -> None:
    bound = parse_params(specs(), {"root": "data", "top": ["3"]}, source="-p")

    assert bound == {"root": BoundParam(Path("data"), "-p"), "top": BoundParam(3, "-p")}


def test_values_that_are_no_text_are_taken_where_they_fit() -> None:
    assert parse_params(specs(), {"top": 3}, source="profile") == {"top": BoundParam(3, "profile")}
    with pytest.raises(FlowFaults, match=r"takes `int`, not 1\.5"):
        parse_params(specs(), {"top": 1.5}, source="profile")


def test_all_wrong_values_are_told_at_once_with_their_source() -> None:
    with pytest.raises(FlowFaults) as caught:
        parse_params(specs(), {"rot": "x", "top": ["ten"]}, source="-p")

    faults = caught.value.faults
    assert [fault.code for fault in faults] == [Code.unknown_parameter, Code.bad_parameter]
    assert "(given by -p)" in faults[0].message
    assert faults[0].help == "did you mean `root`?"
    assert faults[1].message == "parameter `top` takes `int`, not 'ten' (given by -p)"


def test_a_dag_without_parameters_says_so() -> None:
    with pytest.raises(FlowFaults, match="the dag has no parameters"):
        parse_params([], {"top": "3"}, source="-p")


def test_binding_fills_in_the_defaults_and_says_that_they_are() -> None:
    bound, faults = bind_params(specs(), {"root": BoundParam(Path(), "bind")}, None)

    assert faults == []
    assert bound == {
        "root": BoundParam(Path(), "bind"),
        "top": BoundParam(10, "default"),
        "title": BoundParam(None, "default"),
    }


def test_binding_tells_missing_unknown_and_ill_typed_values_at_once() -> None:
    given_values = {"top": BoundParam("3", "bind"), "tile": BoundParam("x", "bind")}

    _, faults = bind_params(specs(), given_values, None)

    assert [fault.code for fault in faults] == [
        Code.unknown_parameter,
        Code.missing_parameter,
        Code.bad_parameter,
    ]


def test_plain_values_are_read_without_pydantic() -> None:
    code = (
        "import sys; from actorflow.flows.values_from_text import parse_texts as p; import datetime, pathlib, typing\n"
        "p(['3'], int | None); p(['a,b'], list[pathlib.Path]); p(['2026-01-01'], datetime.date)\n"
        "p(['a'], typing.Literal['a'])\n"
        "print('pydantic' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
