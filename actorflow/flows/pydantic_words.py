"""What pydantic says of a text that is not of its type, in words that say where and what to write instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import ValidationError

MAX_FAULTS = 5
MAX_SHOWN_CHARS = 40

_WRITE = {
    "bool": "true or false",
    "bytes": "a text",
    "date": "a date, such as 2026-11-21",
    "datetime": "a date and time, such as 2026-11-21T14:30:00+01:00",
    "dataclass": 'a JSON object, such as {"name": 1}',
    "decimal": "a number, such as 0.5",
    "dict": 'a JSON object, such as {"name": 1}',
    "float": "a number, such as 0.5",
    "frozen": "a JSON list, such as [1, 2]",
    "int": "a whole number, such as 10",
    "list": "a JSON list, such as [1, 2]",
    "model": 'a JSON object, such as {"name": 1}',
    "set": "a JSON list, such as [1, 2]",
    "string": 'a text in quotes, such as "a"',
    "time": "a time, such as 14:30",
    "tuple": "a JSON list, such as [1, 2]",
    "uuid": "a UUID",
}
"""By the first word of the type of a fault, which names the kind that was wanted."""

_ILL_TYPED = (
    "_type",
    "_parsing",
    "_parsing_size",
    "_from_float",
    "_from_date_parsing",
    "_attributes_type",
    "_exact_type",
)


def words_of(error: ValidationError) -> str:
    """The first faults, each with its place: `sizes[1]: write a whole number, such as 10, not "b"`."""
    faults = error.errors(include_url=False, include_context=False)
    told = [_fault_words(fault) for fault in faults[:MAX_FAULTS]]
    if len(faults) > MAX_FAULTS:
        told.append(f"and {len(faults) - MAX_FAULTS} more")
    return "; ".join(dict.fromkeys(told))


def _fault_words(fault: Mapping[str, Any]) -> str:
    where = place(fault["loc"])
    head = f"{where}: " if where else ""
    kind = str(fault["type"])
    if kind == "missing":
        return f"{head}is missing"
    wanted = _WRITE.get(kind.partition("_")[0])
    if wanted is None or not kind.endswith(_ILL_TYPED):
        said = str(fault["msg"])
        return f"{head}{said[:1].lower()}{said[1:]}"
    given = repr(fault["input"])
    shown = given if len(given) <= MAX_SHOWN_CHARS else f"{given[:MAX_SHOWN_CHARS]}..."
    return f"{head}write {wanted}{f', not {shown}' if where else ''}"


def place(parts: Sequence[str | int]) -> str:
    """`inner.k.sizes[1]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).removeprefix(".")
