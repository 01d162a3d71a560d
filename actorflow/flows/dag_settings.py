"""Dag settings: what may be asked of a dag beside its function; wrong ones become faults, not exceptions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, cast

from actorflow.flows.durations import Duration
from actorflow.flows.faults import Code, Fault
from actorflow.flows.graph import Location
from actorflow.flows.memory import read_quota
from actorflow.flows.misread import Misread
from actorflow.flows.settings import limit_s
from actorflow.flows.sizes import Size

N = TypeVar("N", int, float)


@dataclass(frozen=True, slots=True, kw_only=True)
class DagSettings:
    """The options of a dag as plain data, and the faults found in them."""

    timeout_s: float | None = None
    max_memory_bytes: int | None = None
    fail_fast: bool = False
    faults: tuple[Fault, ...] = ()


def dag_settings(
    owner: str,
    location: Location,
    *,
    timeout: Duration | None,
    max_memory: Size | None,
    fail_fast: bool | None = None,
) -> DagSettings:
    """The options of dag `owner`; None where not given."""
    faults: list[Fault] = []

    def read(option: str, value: object, reader: Callable[[object], N]) -> N | None:
        if value is None:
            return None
        try:
            return reader(value)
        except ValueError as exc:
            why, help = (exc.why, exc.help) if isinstance(exc, Misread) else (str(exc), "")
            faults.append(Fault(Code.bad_option, f"`{option}` of dag `{owner}` is wrong: {why}", location, help))
            return None

    timeout_s = read("timeout", timeout, limit_s)
    max_memory_bytes = read("max_memory", max_memory, _cap_bytes)
    fails_fast = bool(read("fail_fast", fail_fast, _flag))
    return DagSettings(
        timeout_s=timeout_s, max_memory_bytes=max_memory_bytes, fail_fast=fails_fast, faults=tuple(faults)
    )


def _flag(value: object) -> int:
    if not isinstance(value, bool):
        raise ValueError(f"it is True or False, not {value!r}")  # noqa: TRY004 - one error for every wrong option
    return value


def _cap_bytes(value: object) -> int:
    found, growth = read_quota(cast("Size", value))
    if growth is not None:
        raise ValueError("a limit does not grow")
    return found
