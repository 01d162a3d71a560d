"""Faults: crashes that a test plans for an actor, at its k-th message or at its k-th checkpoint from now on."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

T = TypeVar("T")


class InjectedCrash(Exception):
    """What a planned crash raises where the test names no error."""


class At(StrEnum):
    """What a planned crash counts. A checkpoint is each point at which a handler gives way to the loop."""

    message = "message"
    checkpoint = "checkpoint"


@dataclass(slots=True)
class PlannedCrash:
    """One crash to come; `left` counts down to it."""

    at: At
    left: int
    error: BaseException


class CrashPlan:
    """The crashes to come, by the path of their actor; they outlive its incarnations, and each happens once."""

    def __init__(self) -> None:
        self._planned: dict[str, list[PlannedCrash]] = {}

    def add(self, path: str, at: At, number: int, error: BaseException | None) -> None:
        """Plan a crash of the actor at `path` at its `number`-th message or checkpoint from now, 1 for the next."""
        if number < 1:
            raise ValueError(f"messages and checkpoints are counted from 1, not {number}")
        error = InjectedCrash(f"planned for {at} {number} of {path!r}") if error is None else error
        self._planned.setdefault(path, []).append(PlannedCrash(at, number, error))

    def due(self, path: str, at: At) -> BaseException | None:
        """Count one message or checkpoint of the actor at `path`; the error it is to crash with now, if any."""
        planned = self._planned.get(path)
        if not planned:
            return None
        found: BaseException | None = None
        for crash in [crash for crash in planned if crash.at is at]:
            crash.left -= 1
            if crash.left == 0:
                planned.remove(crash)
                found = found or crash.error
        return found

    @property
    def open(self) -> tuple[str, ...]:
        """The paths of actors whose planned crashes have not all happened."""
        return tuple(path for path, planned in self._planned.items() if planned)


class Steps:
    """Awaits a coroutine, and calls `on_checkpoint` each time that it gives way to the loop, before it does."""

    def __init__(self, coroutine: Coroutine[Any, Any, T], on_checkpoint: Callable[[], object]) -> None:
        self._coroutine = coroutine
        self._on_checkpoint = on_checkpoint

    def __await__(self) -> Generator[Any, Any, Any]:
        value: Any = None
        error: BaseException | None = None
        while True:
            try:
                trap = self._coroutine.send(value) if error is None else self._coroutine.throw(error)
            except StopIteration as returned:
                return returned.value
            error = None
            self._on_checkpoint()
            try:
                value = yield trap
            except GeneratorExit:
                self._coroutine.close()
                raise
            except BaseException as raised:  # noqa: BLE001 - passed on to the coroutine, whatever it is
                error = raised
