"""Settings: what may be asked of a task beside its function; wrong ones become faults, not exceptions."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypedDict, cast

from actorflow.flows.durations import Duration, seconds
from actorflow.flows.faults import Code, Fault, did_you_mean
from actorflow.flows.graph import Location, MemoryGrowth, RetryPolicy, TriggerRule
from actorflow.flows.memory import Memory, read_quota
from actorflow.flows.misread import Misread
from actorflow.flows.retry import Retry
from actorflow.flows.sizes import Size

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


class Options(TypedDict, total=False):
    """What a user may write in `@task(...)` and `.options(...)`; None means not given."""

    retry: Retry | RetryPolicy | None
    timeout: Duration | None
    deadline: Duration | None
    queue_timeout: Duration | None
    memory: Size | Memory | None
    cpus: float | None
    affinity: bool | None
    executor: str | None
    cleanup: bool | None
    trigger_rule: TriggerRule | str | None
    allow_failure: bool | None
    critical: bool | None
    max_in_flight: int | None
    name: str | None
    after: Sequence[object] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options of a task as plain data, and the faults found in them.

    name: of the task, or of the step where `named` (given in `.options`, so it is never changed to keep it unique).
    """

    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeout_s: float | None = None
    deadline_s: float | None = None
    queue_timeout_s: float | None = None
    memory_bytes: int | None = None
    memory_growth: MemoryGrowth | None = None
    cpus: float | None = None
    affinity: bool = False
    executor: str | None = None
    trigger_rule: TriggerRule = TriggerRule.all_success
    max_in_flight: int | None = None
    allow_failure: bool = False
    critical: bool = False
    cleanup: bool = False
    name: str = ""
    named: bool = False
    after: tuple[object, ...] = ()
    faults: tuple[Fault, ...] = ()


def changed(settings: Settings, options: Options, *, owner: str, location: Location, in_place: bool) -> Settings:
    """`settings` with `options` over them. owner: the task's name, for messages. in_place: from `.options`."""
    found: dict[str, object] = {}
    faults: list[Fault] = []
    for option, value in options.items():
        if value is None:
            continue
        try:
            found |= _READERS[option](value)
        except ValueError as exc:
            why, help = (exc.why, exc.help) if isinstance(exc, Misread) else (str(exc), _helps(option, value))
            faults.append(Fault(Code.bad_option, f"`{option}` of task `{owner}` is wrong: {why}", location, help))
    if in_place and "name" in found:
        found["named"] = True
    # Each reader gives what its field takes, which a mapping from names to readers cannot say.
    return replace(settings, **found, faults=(*settings.faults, *faults))  # type: ignore[arg-type]  # as said


def _retry(value: object) -> dict[str, object]:
    if isinstance(value, RetryPolicy):
        return {"retry": value}
    if isinstance(value, Retry):
        return {"retry": value.policy()}
    raise ValueError(f"write Retry(attempts=3, ...), not {value!r}")


def limit_s(value: object) -> float:
    """The seconds of a limit; raises ValueError for none at all."""
    found_s = seconds(cast("Duration", value))
    if found_s == 0:
        raise ValueError("it must be more than 0; leave it out for no limit")
    return found_s


def _timeout(value: object) -> dict[str, object]:
    return {"timeout_s": limit_s(value)}


def _deadline(value: object) -> dict[str, object]:
    return {"deadline_s": limit_s(value)}


def _queue_timeout(value: object) -> dict[str, object]:
    return {"queue_timeout_s": limit_s(value)}


def _memory(value: object) -> dict[str, object]:
    memory_bytes, growth = read_quota(cast("Size | Memory", value))
    return {"memory_bytes": memory_bytes, "memory_growth": growth}


def _cpus(value: object) -> dict[str, object]:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ValueError(f"it is a number of CPUs above 0, such as 2 or 0.5, not {value!r}")
    return {"cpus": float(value)}


def _flag(name: str) -> Callable[[object], dict[str, object]]:
    def read(value: object) -> dict[str, object]:
        if not isinstance(value, bool):
            raise ValueError(f"it is True or False, not {value!r}")  # noqa: TRY004 - one error for every wrong option
        return {name: value}

    return read


def _cleanup(value: object) -> dict[str, object]:
    found = _flag("cleanup")(value)
    return {**found, "trigger_rule": TriggerRule.always} if value else found


def _executor(value: object) -> dict[str, object]:
    if not isinstance(value, str) or not value:
        raise ValueError(f'it is the name of an executor, such as "process", not {value!r}')
    return {"executor": value}


def _trigger_rule(value: object) -> dict[str, object]:
    try:
        return {"trigger_rule": TriggerRule(cast("str", value))}
    except ValueError:
        raise ValueError(f"there is no trigger rule {value!r}") from None


def _max_in_flight(value: object) -> dict[str, object]:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"it is a whole number of 1 or more, not {value!r}")
    return {"max_in_flight": value}


def _name(value: object) -> dict[str, object]:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(f"a name starts with a letter and has letters, digits, `_`, `-` and `.`, unlike {value!r}")
    return {"name": value}


def _after(value: object) -> dict[str, object]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return {"after": tuple(cast("Sequence[object]", value))}
    raise ValueError("it is a list of outputs and names of steps; write after=[...]")


def _helps(option: str, value: object) -> str:
    if option == "trigger_rule" and isinstance(value, str):
        return did_you_mean(value, [rule.value for rule in TriggerRule])
    return ""


_READERS = {
    "retry": _retry,
    "timeout": _timeout,
    "deadline": _deadline,
    "queue_timeout": _queue_timeout,
    "memory": _memory,
    "cpus": _cpus,
    "affinity": _flag("affinity"),
    "executor": _executor,
    "cleanup": _cleanup,
    "trigger_rule": _trigger_rule,
    "allow_failure": _flag("allow_failure"),
    "critical": _flag("critical"),
    "max_in_flight": _max_in_flight,
    "name": _name,
    "after": _after,
}
