"""Types of every kind the codec carries, in a module of their own as a user's are."""

from __future__ import annotations

import enum
from collections import Counter, namedtuple
from dataclasses import InitVar, dataclass, field
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import pydantic


class Colour(enum.Enum):
    RED = "red"
    DARK = (1, 2)
    CRIMSON = "red"  # noqa: PIE796 - an alias, on purpose


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Mode(enum.StrEnum):
    FAST = "fast"


class Right(enum.Flag):
    READ = 1
    WRITE = 2


class Bits(enum.IntFlag):
    A = 1
    B = 2


class Point(NamedTuple):
    x: int
    y: Any = None


Pair = namedtuple("Pair", "left right")  # pyright: ignore[reportUntypedNamedTuple]


class Labelled(Point):
    """A named tuple whose instances have a __dict__ too."""


@dataclass
class Row:
    name: str
    when: Any = None
    tags: list[Any] = field(default_factory=list[Any])


@dataclass(frozen=True, slots=True, order=True)
class Fixed:
    a: int
    b: Any = None
    c: int = field(init=False, default=3)


@dataclass
class Counted:
    """Sets in __post_init__ what is no field, and counts how often that runs."""

    start: InitVar[int]
    runs: ClassVar[int] = 0
    twice: int = field(init=False)

    def __post_init__(self, start: int) -> None:
        Counted.runs += 1
        self.twice = start * 2
        self.seen = [start]

    @cached_property
    def handle(self) -> object:
        return object()


@dataclass
class Private:
    __slots__ = ("__hidden", "shown")
    shown: int

    def hide(self, value: int) -> None:
        self.__hidden = value

    def hidden(self) -> int:
        return self.__hidden


@dataclass
class DictRow(dict[str, int]):
    name: str = ""


class Small(pydantic.BaseModel):
    a: int
    b: str
    c: float


class Loose(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")

    a: int
    b: Any = None
    _secret: int = pydantic.PrivateAttr(default=4)


class Narrow(Loose):
    z: str = "z"


class Validated(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True)

    runs: ClassVar[int] = 0
    n: int

    @pydantic.field_validator("n")
    @classmethod
    def count(cls, n: int) -> int:
        Validated.runs += 1
        return n + 1

    @cached_property
    def double(self) -> int:
        return self.n * 2


class Holder(pydantic.BaseModel):
    items: list[Loose]
    by_key: dict[int, Small] = {}


class Tree(pydantic.RootModel[dict[str, int]]):
    pass


class Plain:
    """Neither a dataclass nor a model."""


class MyInt(int):
    pass


class Words(Counter[str]):
    pass


class Outer:
    @dataclass
    class Inner:
        n: int


Shadow = type("Row", (), {"__module__": __name__, "__qualname__": "Row"})
