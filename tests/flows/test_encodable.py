"""A return annotation whose values can never be written down is refused when the pipeline is loaded."""

from __future__ import annotations

import io
import queue
import socket
import sqlite3
import subprocess
import sys
import threading
import typing
from abc import ABC, abstractmethod
from collections import Counter, OrderedDict, deque
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag
from pathlib import Path, PosixPath
from typing import Annotated, Any, Literal, NamedTuple, NewType, Protocol, TextIO, TypedDict, TypeVar
from uuid import UUID

import pytest
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from actorflow.actors.codec import Codec, EncodeError
from actorflow.flows.encodable import not_encodable
from actorflow.flows.hints import Unknown, annotation_name
from tests.actors.array_values import np as numpy
from tests.actors.array_values import pa as pyarrow
from tests.actors.array_values import pd as pandas
from tests.actors.array_values import pl as polars

T = TypeVar("T")
Meters = NewType("Meters", int)


class Colour(Enum):
    red = 1


class Mode(Flag):
    read = 1


class Point(NamedTuple):
    x: int
    y: int


class Row(TypedDict):
    id: int


class LockedRow(TypedDict):
    lock: threading.Lock


@dataclass
class Report:
    path: Path
    rows: list[int] = field(default_factory=list[int])


@dataclass
class Node:
    children: list[Node]


@dataclass
class Held:
    report: Report
    connections: dict[str, socket.socket]


class Model(BaseModel):
    when: datetime


class CallingModel(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    call: Callable[[int], int]


class Shape(ABC):
    @abstractmethod
    def area(self) -> float: ...


class Sized(Protocol):
    size: int


@dataclass
class Stepping:
    """A dataclass that happens to be an iterator."""

    at: int = 0

    def __iter__(self) -> Stepping:
        return self

    def __next__(self) -> int:
        raise StopIteration


class Plain: ...


class PlainBase: ...


@dataclass
class DataChild(PlainBase):
    x: int


class MyList(list[int]): ...


ENCODABLE: list[object] = [
    *(None, bool, int, float, complex, str, bytes, bytearray, list, dict, tuple, set, frozenset, range),
    *(date, datetime, time, timedelta, Decimal, UUID, Path, PosixPath),
    *(Colour, Mode, Point, Row, Report, Node, Model, Meters, Any, object, T, Unknown("Table")),
    *(list[int], dict[str, list[Report]], tuple[int, ...], int | None, Report | str, Literal["a"]),
    *(numpy.ndarray, NDArray[numpy.float64], numpy.float32, numpy.floating, numpy.dtype, dict[str, numpy.ndarray]),
    *(pandas.DataFrame, pandas.Series, pandas.Index, pandas.DatetimeIndex, pandas.Timestamp, pandas.Categorical),
    *(polars.DataFrame, polars.Series, pyarrow.Table, pyarrow.Array, pyarrow.ChunkedArray, pyarrow.Schema),
    *(Annotated[int, "kept"], Sequence[int], Mapping[str, int], Iterable[int], Shape, Sized, PlainBase),
]

NOT_ENCODABLE: list[tuple[object, str, str]] = [
    (Generator[int, None, None], "return a list", "Generator[int, None, None]"),
    (Iterator[int], "return a list", "Iterator[int]"),
    (AsyncIterator[int], "return a list", "AsyncIterator[int]"),
    (Coroutine[Any, Any, int], "`async def`", "Coroutine[Any, Any, int]"),
    (Awaitable[int], "`async def`", "Awaitable[int]"),
    (Callable[[int], int], "return its name", "Callable[[int], int]"),
    (typing.Callable[..., int], "return its name", "Callable[..., int]"),
    (type[int], "return its name", "type[int]"),
    (threading.Lock, "inside the task", "threading.Lock"),
    (threading.RLock, "inside the task", "threading.Lock"),
    (threading.Event, "inside the task", "Event"),
    (threading.Thread, "inside the task", "Thread"),
    (socket.socket, "inside the task", "socket"),
    (sqlite3.Connection, "inside the task", "Connection"),
    (subprocess.Popen, "inside the task", "Popen"),
    (io.TextIOWrapper, "inside the task", "TextIOWrapper"),
    (TextIO, "", "TextIO"),
    (queue.Queue, "dataclass", "Queue"),
    (Plain, "make it a dataclass or a pydantic model", "Plain"),
    (MyList, "make it a dataclass", "MyList"),
    (Counter[str], "plain values", "Counter[str]"),
    (OrderedDict[str, int], "plain values", "OrderedDict[str, int]"),
    (deque[int], "plain values", "deque[int]"),
    (list[Callable[[], int]], "return its name", "Callable[[], int]"),
    (dict[str, Plain], "dataclass", "Plain"),
    (int | Plain, "dataclass", "Plain"),
    (Held, "inside the task", "socket"),
    (CallingModel, "return its name", "Callable[[int], int]"),
    (LockedRow, "inside the task", "threading.Lock"),
    (numpy.ma.MaskedArray, "numpy.asarray", "MaskedArray"),
    (NDArray[numpy.object_], "plain values", "object_"),
    (pandas.arrays.SparseArray, "a DataFrame", "SparseArray"),
    (polars.LazyFrame, "`.collect()`", "LazyFrame"),
    (pyarrow.RecordBatchReader, "return a Table", "RecordBatchReader"),
]


@pytest.mark.parametrize("annotation", ENCODABLE, ids=map(annotation_name, ENCODABLE))
def test_values_of_an_annotation_may_be_written_down(annotation: object) -> None:
    assert not_encodable(annotation) is None


@pytest.mark.parametrize(
    ("annotation", "help", "type_name"), NOT_ENCODABLE, ids=[annotation_name(row[0]) for row in NOT_ENCODABLE]
)
def test_values_of_an_annotation_can_never_be_written_down(annotation: object, help: str, type_name: str) -> None:
    found = not_encodable(annotation)

    assert found is not None
    assert help in found.help
    assert found.type_name == type_name


@pytest.mark.parametrize(
    ("annotation", "path"),
    [(Held, "Held.connections"), (CallingModel, "CallingModel.call"), (LockedRow, "LockedRow.lock")],
)
def test_the_field_at_fault_is_named(annotation: object, path: str) -> None:
    found = not_encodable(annotation)

    assert found is not None
    assert found.path == path


CARRIED: list[object] = [
    *(1, 1.5, "a", b"a", bytearray(b"a"), 1j, range(3), {1, 2}, (1, 2), frozenset({1}), {"a": 1}),
    *(date(2026, 1, 1), time(1), timedelta(1), Decimal("1.5"), UUID(int=3), Path("a")),
    *(Colour.red, Mode.read, Point(1, 2), Report(Path("a")), Stepping()),
    *(
        numpy.arange(3),
        numpy.float64(1),
        pandas.DataFrame({"a": [1]}),
        pandas.Timestamp("2020"),
        pandas.array([1, None]),
    ),
    *(polars.DataFrame({"a": [1]}), pyarrow.array([1]), pyarrow.scalar(1), pyarrow.schema([])),
]


@pytest.mark.parametrize("value", CARRIED, ids=lambda value: type(value).__name__)
def test_what_the_codec_carries_is_not_refused(value: object) -> None:
    Codec().encode(value)

    assert not_encodable(type(value)) is None


REFUSED: list[object] = [
    *(Plain(), MyList(), Counter("a"), OrderedDict(a=1), deque([1]), threading.Lock(), len),
    *(numpy.ma.array([1]), pandas.arrays.SparseArray([0, 1]), polars.LazyFrame(), pyarrow.BufferReader(b"")),
]


@pytest.mark.parametrize("value", REFUSED, ids=lambda value: type(value).__name__)
def test_what_is_refused_the_codec_cannot_carry(value: object) -> None:
    with pytest.raises(EncodeError):
        Codec().encode(value)

    assert not_encodable(type(value)) is not None


def test_polars_without_pyarrow_names_the_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    found = not_encodable(polars.DataFrame)

    assert found is not None
    assert found.help == "install actorflow[polars], which brings pyarrow"
