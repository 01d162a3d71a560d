"""When worker processes make room for new ones, as a profile's table or `--recycle NAME=VALUE` says it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from actorflow.flows.durations import seconds
from actorflow.flows.sizes import size_bytes
from actorflow_supervisors.recycling import Recycling

KEYS = ("max_tasks", "max_age", "max_rss")


def recycling_of(given: Mapping[str, object]) -> Recycling:
    """Those of `KEYS` that are given, over the defaults; 0 is no limit. Raises ValueError that says what is wrong."""
    read: Mapping[str, tuple[str, Callable[[object], float | int]]] = {
        "max_tasks": ("max_tasks", _count),
        "max_age": ("max_age_s", _age_s),
        "max_rss": ("max_rss_bytes", _bytes),
    }
    found: dict[str, float | int | None] = {}
    for key, value in given.items():
        if key not in read:
            raise ValueError(f"no limit `{key}`; there are {', '.join(KEYS)}")
        name, reads = read[key]
        found[name] = reads(value) or None
    return Recycling(**found)  # type: ignore[arg-type]  # each read as what it is


def _count(value: object) -> int:
    text = str(value)
    if not text.isdecimal():
        raise ValueError(f"max_tasks is a whole number of tasks, not {value!r}")
    return int(text)


def _age_s(value: object) -> float:
    return seconds(value if isinstance(value, str) and value != "0" else _number("max_age", value))


def _bytes(value: object) -> int:
    return size_bytes(value if isinstance(value, str) and not value.isdecimal() else _number("max_rss", value))


def _number(name: str, value: object) -> int:
    text = str(value)
    if isinstance(value, bool) or not text.isdecimal():
        raise ValueError(f"{name} is a text with a unit, or 0 for no limit, not {value!r}")
    return int(text)
