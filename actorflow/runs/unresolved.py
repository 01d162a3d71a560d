"""Reads an encoded value without the classes it names: fields as a dict, an enum member by its name.

For showing a run in a process that never imports the user's module. A value that names no class reads as ever; large
bytes, arrays and tables among others are named, not read.
"""

from __future__ import annotations

from typing import Any, cast

from actorflow.actors.codec import DecodeError
from actorflow.actors.codec.wire import BODIES_HEAD, MARKS, Tag, pack, split_bodies, unpack_tagged
from actorflow.runs.values import VALUE_CODEC


def read_unresolved(data: bytes) -> object:
    """Dicts, lists and leaves that show what `data` holds; raises DecodeError for what is no encoded value."""
    try:
        head = split_bodies(data)[0] if data[:1] == bytes([BODIES_HEAD]) else data
        return unpack_tagged(head, _tag, _array)
    except DecodeError:
        raise
    except Exception as exc:
        raise DecodeError(f"malformed: {type(exc).__name__}: {exc}") from exc


def _tag(code: int, _: bytes) -> object:
    return Tag(code)


def _array(items: list[object]) -> object:
    if not items or type(items[0]) is not Tag:
        return items
    tag, *parts = cast("tuple[Tag, Any]", items)
    match tag:
        case Tag.TUPLE | Tag.SET | Tag.FROZENSET:
            return parts
        case Tag.DICT:
            return {_key(key): value for key, value in zip(parts[::2], parts[1::2], strict=True)}
        case Tag.DATACLASS:
            return _merged(parts[1], *parts[2:3])
        case Tag.MODEL:
            return _merged(parts[1], *parts[3:4])
        case Tag.NAMEDTUPLE:
            return parts[1:]
        case Tag.ENUM:
            return next(part for part in parts[1:] if part is not None)
        case Tag.BYTEARRAY:
            return parts[0]
        case Tag.BODY | Tag.BUFFER:
            return f"<{parts[0]:,} bytes>"
        case Tag.NDARRAY:
            return f"<numpy array of {parts[0]}, {' x '.join(map(str, parts[1])) or 'one element'}>"
        case Tag.ARROW | Tag.PANDAS | Tag.POLARS:
            return f"<{tag.name.lower()} {parts[0]}>"
        case _:
            return VALUE_CODEC.decode(pack([MARKS[tag], *parts]))


def _key(key: object) -> object:
    """A key that was a tuple, a set or a value with fields can be shown, and no longer be looked up."""
    return str(cast("object", key)) if isinstance(key, list | dict) else key


def _merged(*parts: dict[str, object] | None) -> dict[str, object]:
    return {name: value for part in parts if part is not None for name, value in part.items()}
