"""Which value may go where: as a type checker decides it, and in doubt yes."""

from __future__ import annotations

import typing
from collections.abc import Collection, Iterable, Iterator, Mapping, MutableSequence, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path, PurePath
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    Optional,
    Protocol,
    TypedDict,
    TypeVar,
    Union,
    runtime_checkable,
)

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorflow.flows.hints import Unknown, annotation_name
from actorflow.flows.types import NOT_ITERABLE, element_type, fits, value_fits

T = TypeVar("T")
Meters = NewType("Meters", int)


class Base: ...


class Child(Base): ...


class Box(Generic[T]): ...


class IntBox(Box[int]): ...


class Names(list[str]): ...


class Colour(Enum):
    red = "red"
    blue = "blue"


class Row(TypedDict):
    id: int


class Point(NamedTuple):
    x: int
    y: int


@dataclass
class Report:
    size: int


class Sized(Protocol):
    size: int


@runtime_checkable
class Closeable(Protocol):
    def close(self) -> None: ...


FITTING: list[tuple[object, object]] = [
    (int, int),
    (int, float),
    (bool, int),
    (bool, float),
    (Child, Base),
    (int, Any),
    (Any, int),
    (int, object),
    (Unknown("Table"), int),
    (int, Unknown("Table")),
    (T, int),
    (int, T),
    (int, int | None),
    (None, Optional[int]),  # noqa: UP045 - both spellings are to work
    (int | None, Union[str, int, None]),  # noqa: UP007 - as above
    (bool, int | str),
    (list[int], list[int]),
    (list[int], list[float]),
    (list[int], list),
    (list, list[int]),
    (list[int], Sequence[int]),
    (list[int], Iterable[object]),
    (list[int], Collection[int]),
    (list[int], MutableSequence[int]),
    (list[Child], Sequence[Base]),
    (list[list[int]], list[Sequence[float]]),
    (typing.List[int], list[int]),  # noqa: UP006 - both spellings are to work
    (dict[str, int], Mapping[str, float]),
    (dict[str, int], Iterable[str]),
    (tuple[int, str], tuple[int, str]),
    (tuple[int, int], tuple[int, ...]),
    (tuple[int, ...], tuple[int, int]),
    (tuple[int, str], Sequence[int | str]),
    (tuple[int, str], tuple),
    (Point, tuple[int, int]),
    (str, Sequence[str]),
    (bytes, Iterable[int]),
    (Names, list[str]),
    (Names, Sequence[str]),
    (IntBox, Box[int]),
    (Box[int], Box[int]),
    (Box[int], Box[float]),
    (Path, PurePath),
    (Meters, int),
    (int, Meters),
    (list[Meters], list[int]),
    (Annotated[int, "kept"], int),
    (int, Annotated[float, "kept"]),
    (Literal["a"], str),
    (Literal["a"], Literal["a", "b"]),
    (bool, Literal[True, False]),
    (Colour, Literal[Colour.red, Colour.blue]),
    (Row, dict),
    (Row, Mapping[str, object]),
    (dict[str, int], Row),
    (Report, Sized),
    (typing.NoReturn, int),
    (int, Literal[1] | int),
]

CLASHING: list[tuple[object, object]] = [
    (int, str),
    (int, list[Path]),
    (float, int),
    (str, Path),
    (str, int),
    (Base, Child),
    (object, int),
    (int | None, int),
    (int | str, int),
    (None, int),
    (int, None),
    (list[int], list[str]),
    (list[int], int),
    (list[int], Sequence[str]),
    (list[int], dict[str, int]),
    (list[int], tuple[int, ...]),
    (set[int], list[int]),
    (dict[str, int], dict[str, str]),
    (dict[int, int], Mapping[str, int]),
    (dict[str, int], Iterable[int]),
    (tuple[int, str], tuple[int, int]),
    (tuple[int, int, int], tuple[int, int]),
    (tuple[int, str], tuple[int, ...]),
    (tuple[int, str], Sequence[int]),
    (str, Sequence[int]),
    (Names, list[int]),
    (Names, Iterable[int]),
    (IntBox, Box[str]),
    (Box[int], Box[str]),
    (Meters, str),
    (list[Meters], list[str]),
    (Annotated[int, "kept"], str),
    (Literal["a"], int),
    (Literal["a", "c"], Literal["a", "b"]),
    (str, Literal["a"]),
    (Colour, Literal[Colour.red]),
    (Colour, str),
    (int, Row),
    (Report, Path),
    (int, Closeable),
    (int, str | list[int]),
]


def names(pairs: list[tuple[object, object]]) -> list[str]:
    return [f"{annotation_name(source)} into {annotation_name(target)}" for source, target in pairs]


@pytest.mark.parametrize(("source", "target"), FITTING, ids=names(FITTING))
def test_a_source_fits_a_target(source: object, target: object) -> None:
    assert fits(source, target)


@pytest.mark.parametrize(("source", "target"), CLASHING, ids=names(CLASHING))
def test_a_source_does_not_fit_a_target(source: object, target: object) -> None:
    assert not fits(source, target)


MAKERS: list[Any] = [list, Sequence, dict, tuple, Union, Annotated]
LIST, SEQUENCE, DICT, TUPLE, UNION, ANNOTATED = MAKERS
plain_types = st.sampled_from([int, str, bool, float, bytes, Path, Base, Child, Colour, Report, Point])


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    pairs = st.tuples(inner, inner)
    return st.one_of(
        inner.map(lambda part: LIST[part]),
        inner.map(lambda part: SEQUENCE[part]),
        inner.map(lambda part: UNION[part, None]),
        inner.map(lambda part: ANNOTATED[part, "note"]),
        pairs.map(lambda parts: DICT[parts]),
        pairs.map(lambda parts: TUPLE[parts]),
        pairs.map(lambda parts: UNION[parts]),
    )


some_annotation: st.SearchStrategy[Any] = st.recursive(plain_types, _containers, max_leaves=6)


@given(some_annotation)
def test_every_annotation_fits_itself_and_any_and_object(annotation: object) -> None:
    assert fits(annotation, annotation)
    assert fits(annotation, Any)
    assert fits(Any, annotation)
    assert fits(annotation, object)


@given(some_annotation, some_annotation)
def test_what_fits_fits_a_wider_union_and_a_list_of_it_too(source: Any, target: Any) -> None:
    fitting = fits(source, target)

    assert fits(source, UNION[target, None]) or not fitting
    assert fits(LIST[source], SEQUENCE[target]) == fitting


@given(some_annotation, some_annotation, some_annotation)
def test_fitting_is_transitive_over_subclasses_and_containers(one: Any, two: Any, three: Any) -> None:
    if fits(one, two) and fits(two, three):
        assert fits(one, three)


@pytest.mark.parametrize(
    ("annotation", "element"),
    [
        (list[int], int),
        (Iterator[int], int),
        (dict[str, int], str),
        (tuple[int, ...], int),
        (tuple[int, str], int | str),
        (str, str),
        (bytes, int),
        (range, int),
        (Names, str),
        (list, Any),
        (Any, Any),
        (Point, Any),
        (list[int] | tuple[str, ...], int | str),
        (int, NOT_ITERABLE),
        (None, NOT_ITERABLE),
        (list[int] | None, NOT_ITERABLE),
        (Colour, NOT_ITERABLE),
        (Report, NOT_ITERABLE),
        (Annotated[list[int], "kept"], int),
    ],
)
def test_iterating_an_annotation_gives_its_elements(annotation: object, element: object) -> None:
    assert element_type(annotation) == element


@pytest.mark.parametrize(
    ("value", "annotation", "expected"),
    [
        (1, int, True),
        (1, float, True),
        (True, int, True),
        ("1", int, False),
        (None, int | None, True),
        (None, int, False),
        ([1, 2], list[int], True),
        ([1, "2"], list[int], False),
        ((1, "2"), tuple[int, str], True),
        ((1, 2, 3), tuple[int, str], False),
        ((1, 2, 3), tuple[int, ...], True),
        ({"a": 1}, dict[str, int], True),
        ({"a": "b"}, Mapping[str, int], False),
        ({1}, set[int], True),
        ("red", Literal["red"], True),
        (1, Literal[True], False),
        (Colour.red, Colour, True),
        ({"id": 1}, Row, True),
        ("row", Row, False),
        (Report(1), Sized, True),
        ([Path()], Sequence[PurePath], True),
        (3, Meters, True),
        (object(), Unknown("Table"), True),
        ([[1], ["a"]], list[list[int]], False),
    ],
)
def test_a_value_is_judged_with_all_it_contains(value: object, annotation: object, expected: bool) -> None:
    assert value_fits(value, annotation) is expected


@pytest.mark.parametrize(
    ("annotation", "name"),
    [
        (int, "int"),
        (None, "None"),
        (Any, "Any"),
        (list[Path], "list[Path]"),
        (int | None, "int | None"),
        (Optional[list[int]], "list[int] | None"),  # noqa: UP045 - both spellings are to work
        (Literal["a", 1], "Literal['a', 1]"),
        (tuple[int, ...], "tuple[int, ...]"),
        (Annotated[int, "kept"], "int"),
        (typing.Callable[[int], str], "Callable[[int], str]"),
        (Meters, "Meters"),
        (T, "T"),
        (Unknown("Table"), "Table"),
        (Sequence[int], "Sequence[int]"),
    ],
)
def test_an_annotation_is_shown_as_a_person_would_write_it(annotation: object, name: str) -> None:
    assert annotation_name(annotation) == name
