"""Retry: how a user says when a failed attempt is followed by another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

from actorflow.flows.durations import Duration, seconds
from actorflow.flows.graph import RetryPolicy
from actorflow.flows.hints import is_class
from actorflow.flows.misread import Misread
from actorflow_supervisors import Backoff

_SHAPES = ("exponential", "linear", "fixed")


@dataclass(frozen=True, slots=True)
class Retry:
    """Up to `attempts` executions of a task, all counted, with a growing wait between them.

    backoff: how the wait grows from `base` to at most `cap`. jitter: 0 to 1, the share of the wait that is random.
    retry_on: exception classes (or their "module:qualname") after which another attempt is worth it, subclasses
    included; None means any. memory: how often it is started again after it ran out of memory, which spends none of
    `attempts`; None means once where its quota grows. A wrong value is told when the task's pipeline is loaded, with
    its place in the file.
    """

    attempts: int = 3
    backoff: Literal["exponential", "linear", "fixed"] = "exponential"
    base: Duration = "200ms"
    cap: Duration = "10s"
    jitter: float = 0.25
    retry_on: Sequence[type[BaseException] | str] | None = None
    memory: int | None = None

    def policy(self) -> RetryPolicy:
        """The same as plain data; raises ValueError that names the field at fault."""
        if not _is_count(self.attempts):
            raise ValueError(f"attempts must be a whole number of 1 or more, not {self.attempts!r}")
        if self.backoff not in _SHAPES:
            raise ValueError(f"backoff is one of {', '.join(_SHAPES)}, not {self.backoff!r}")
        base_s, cap_s = _seconds("base", self.base), _seconds("cap", self.cap)
        if not 0 < base_s <= cap_s:
            raise ValueError(f"base must be more than 0 and at most cap, not {self.base!r} with cap={self.cap!r}")
        if not _is_share(self.jitter):
            raise ValueError(f"jitter is a share from 0 to 1, not {self.jitter!r}")
        if self.memory is not None and not _is_count(self.memory, least=0):
            raise ValueError(f"memory must be a whole number of 0 or more, not {self.memory!r}")
        backoff = Backoff(
            base_s=base_s, cap_s=cap_s, jitter=float(self.jitter), shape=self.backoff, immediate_first=False
        )
        return RetryPolicy(
            attempts=self.attempts,
            backoff=backoff,
            retry_on=_class_names(self.retry_on),
            memory_restarts=self.memory,
        )


def _is_count(value: object, *, least: int = 1) -> bool:
    """A caller may have no type checker, and True is an int."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and 0 <= value <= 1


def _seconds(field: str, duration: Duration) -> float:
    try:
        return seconds(duration)
    except Misread as exc:
        raise Misread(f"{field}: {exc.why}", exc.help) from exc


def _class_names(classes: object) -> tuple[str, ...] | None:
    if classes is None:
        return None
    if isinstance(classes, str | type):
        raise ValueError(f"retry_on is a list of exception classes; write retry_on=[{_shown(classes)}]")  # noqa: TRY004 - one error for every wrong option
    return tuple(_class_name(entry) for entry in cast("Sequence[object]", classes))


def _class_name(entry: object) -> str:
    if is_class(entry) and issubclass(entry, BaseException):
        return f"{entry.__module__}:{entry.__qualname__}"
    if isinstance(entry, str) and entry.count(":") == 1 and not entry.startswith(":") and not entry.endswith(":"):
        return entry
    raise ValueError(f'retry_on takes exception classes or "module:qualname", not {_shown(entry)}')


def _shown(entry: object) -> str:
    return entry.__name__ if is_class(entry) else repr(entry)
