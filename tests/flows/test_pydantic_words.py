"""A text that is not of its type is answered with the place and what to write there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from actorflow.flows.pydantic_words import place, words_of


@dataclass
class Point:
    x: int
    y: float = 0.0


class Config(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    sizes: list[int] = []
    inner: dict[str, Point] = {}
    day: date | None = None
    share: Decimal = Field(default=Decimal(0), le=1)


@pytest.mark.parametrize(
    ("annotation", "given", "words"),
    [
        (Config, 5, 'write a JSON object, such as {"name": 1}'),
        (Config, {}, "name: is missing"),
        (Config, {"name": 1}, 'name: write a text in quotes, such as "a", not 1'),
        (Config, {"name": "x", "sizes": [1, "b"]}, "sizes[1]: write a whole number, such as 10, not 'b'"),
        (Config, {"name": "x", "sizes": 3}, "sizes: write a JSON list, such as [1, 2], not 3"),
        (Config, {"name": "x", "inner": {"k": {"x": "no"}}}, "inner.k.x: write a whole number, such as 10, not 'no'"),
        (Config, {"name": "x", "inner": {"k": 1}}, 'inner.k: write a JSON object, such as {"name": 1}, not 1'),
        (Config, {"name": "x", "day": "soon"}, "day: write a date, such as 2026-11-21, not 'soon'"),
        (Config, {"name": "x", "share": "much"}, "share: write a number, such as 0.5, not 'much'"),
        (Config, {"name": "x", "share": 2}, "share: input should be less than or equal to 1"),
        (Config, {"name": "x", "other": 2}, "other: extra inputs are not permitted"),
        (Point, {"y": "q"}, "x: is missing; y: write a number, such as 0.5, not 'q'"),
        (dict[str, list[int]], [1], 'write a JSON object, such as {"name": 1}'),
        (list[int], [1.5], "[0]: write a whole number, such as 10, not 1.5"),
        (list[int], ["x" * 99], f"[0]: write a whole number, such as 10, not '{'x' * 39}..."),
        (list[int], list("abcdefg"), "and 2 more"),
    ],
)
def test_each_fault_says_where_and_what_to_write(annotation: Any, given: object, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(annotation).validate_python(given)

    told = words_of(caught.value)

    assert told == words or (words.startswith("and") and told.endswith(words))
    assert "Input should" not in told


def test_a_place_is_written_as_one_would_reach_it() -> None:
    assert [place(parts) for parts in ((), ("a",), ("a", 1, "b"), (0, "a"))] == ["", "a", "a[1].b", "[0].a"]
