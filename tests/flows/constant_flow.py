"""A dag with a constant of each kind, for hashes that every process has to agree on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from actorflow.flows.dag import dag
from actorflow.flows.task import task


class Colour(Enum):
    red = "red"


@dataclass
class Report:
    rows: int
    by: Path


class Model(BaseModel):
    when: date


class Opaque:
    """Its repr holds an address, which differs from process to process."""


@task
def take(value: Any) -> int:
    return 1


CONSTANTS: list[Callable[[], object]] = [
    lambda: {"b", "a", "c", "d", "e"},
    lambda: frozenset({Path("a"), Path("b"), Path("c")}),
    lambda: {"k": {1, 2, 3}},
    Opaque,
    lambda: Opaque,
    lambda: take,
    lambda: [Colour.red, Decimal("1.5"), date(2026, 1, 1), b"x", Report(1, Path("a")), Model(when=date(2026, 1, 1))],
    lambda: len,
]


@dag
def constants_dag() -> list[int]:
    return [take(make()) for make in CONSTANTS]
