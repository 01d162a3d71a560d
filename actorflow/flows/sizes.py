"""Sizes: `"256MiB"`, `"1GB"` or a number of bytes become bytes as an int, everywhere alike."""

from __future__ import annotations

import re
from typing import TypeAlias

from actorflow.flows.misread import Misread

Size: TypeAlias = str | int

UNITS_BYTES = {
    "b": 1,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "tb": 1000**4,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
    "tib": 1024**4,
}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)")
_HOW = 'write "256MiB" (1024 based), "256MB" (1000 based) or a number of bytes'


def size_bytes(size: Size) -> int:
    """The bytes of `size`, >= 0; a fraction of a byte is cut off. Units are read in any case.

    Raises Misread, a ValueError that says what would be right.
    """
    if isinstance(size, str):
        return _parsed(size)
    if not _is_count(size):
        raise Misread(f"a size is a whole number of bytes, not negative, unlike {size!r}", _HOW)
    return size


def format_size(count: int) -> str:
    """`count` bytes in the way a person writes them, such as `256MiB`; `size_bytes` reads whole units back."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        unit_bytes = UNITS_BYTES[unit.lower()]
        if count >= unit_bytes:
            return f"{count / unit_bytes:.1f}".removesuffix(".0") + unit
    return f"{count}B"


def _is_count(value: object) -> bool:
    """A caller may have no type checker, and True is an int."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _parsed(text: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise Misread(f"{text!r} is no size", _HOW)
    number, unit = match.groups()
    if unit.lower() not in UNITS_BYTES:
        raise Misread(f"{text!r} is no size: {_unit_trouble(number, unit)}", _HOW)
    whole, _, fraction = number.partition(".")
    return int(whole + fraction) * UNITS_BYTES[unit.lower()] // int(10 ** len(fraction))


def _unit_trouble(number: str, unit: str) -> str:
    if not unit:
        return f'a number in quotes needs a unit, such as "{number}MiB"'
    if unit.lower() in {"k", "m", "g", "t", "ki", "mi", "gi", "ti"}:
        return f'"{unit}" may mean two things: "{number}{unit[0].upper()}iB" or "{number}{unit[0].upper()}B"'
    return f'"{unit}" is no unit of size'
