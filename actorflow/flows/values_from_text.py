"""Values from text: what a person types for a parameter becomes a value of its annotation."""

from __future__ import annotations

import json
import typing
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time, timedelta
from enum import Enum
from pathlib import Path, PurePath
from types import NoneType
from typing import Any, cast

from actorflow.flows.durations import seconds
from actorflow.flows.faults import did_you_mean
from actorflow.flows.hints import is_union
from actorflow.flows.pydantic_words import words_of
from actorflow.flows.types import is_unknown, plain

_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")
_LISTS: dict[object, Callable[[Iterable[object]], object]] = {
    list: list,
    tuple: tuple,
    set: set,
    frozenset: frozenset,
}


def parse_texts(texts: Sequence[str], annotation: object) -> object:
    """The value of one text, or of the texts of an option given several times: the items of a list, else the last.

    A list is written as `a,b,c` or as JSON. Models, dicts and all that is not plain are JSON, read by pydantic.
    Raises ValueError that says what would be right.
    """
    bare = plain(annotation)
    if _list_class(bare) is None or len(texts) == 1:
        return _parse(texts[-1], annotation)
    return _listed(bare, [*texts])


def _parse(text: str, annotation: object) -> object:
    bare = plain(annotation)
    if is_unknown(bare) or bare is str:
        return text
    if is_union(bare):
        return _one_of(text, typing.get_args(bare))
    if typing.get_origin(bare) is typing.Literal:
        return _literal(text, typing.get_args(bare))
    # Constraints written as Annotated[int, Gt(0)] are pydantic's to judge.
    if typing.get_origin(annotation) is typing.Annotated:
        return _by_pydantic(text, annotation)
    if isinstance(bare, type) and issubclass(bare, Enum):
        return _member(text, bare)
    parser = _PARSERS.get(bare) if isinstance(bare, type) and typing.get_origin(bare) is None else None
    if parser is not None:
        return parser(text)
    if _list_class(bare) is not None and not text.lstrip().startswith("["):
        return _listed(bare, [part.strip() for part in text.split(",")] if text.strip() else [])
    return _by_pydantic(text, annotation)


def _one_of(text: str, members: Sequence[object]) -> object:
    """The first member that can read the text; text itself only after the others, None only where it says so."""
    if NoneType in members and text == "null":
        return None
    if NoneType in members and str not in members and text.lower() == "none":
        return None
    others = [member for member in members if member is not NoneType]
    reasons: list[str] = []
    for member in sorted(others, key=lambda member: plain(member) is str):
        try:
            return _parse(text, member)
        except ValueError as exc:
            reasons.append(str(exc))
    raise ValueError("; or ".join(reasons))


def _literal(text: str, choices: Sequence[object]) -> object:
    for choice in choices:
        if (choice.name if isinstance(choice, Enum) else str(choice)) == text:
            return choice
    raise ValueError(f"write one of {', '.join(str(choice) for choice in choices)}")


def _member(text: str, enum: type[Enum]) -> Enum:
    for member in enum:
        if str(member.value) == text or member.name == text:
            return member
    choices = [str(member.value) for member in enum]
    near = did_you_mean(text, choices)
    raise ValueError(f"write one of {', '.join(choices)}{f'; {near}' if near.startswith('did') else ''}")


def _listed(annotation: object, texts: Sequence[str]) -> object:
    args = typing.get_args(annotation)
    make: Callable[[Iterable[object]], object] = _list_class(annotation) or list[object]
    if make is tuple and args and args[-1] is not ...:
        if len(texts) != len(args):
            raise ValueError(f"write {len(args)} values with commas between them")
        return tuple(_parse(text, arg) for text, arg in zip(texts, args, strict=True))
    return make([_parse(text, args[0] if args else Any) for text in texts])


def _list_class(annotation: object) -> Callable[[Iterable[object]], object] | None:
    return _LISTS.get(typing.get_origin(annotation) or annotation)


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("write a whole number, such as 10") from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("write a number, such as 0.5") from None


def _truth(text: str) -> bool:
    if text.lower() not in (*_TRUE, *_FALSE):
        raise ValueError("write true or false")
    return text.lower() in _TRUE


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError("write a date, such as 2026-11-21") from None


def _datetime(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("write a date and time, such as 2026-11-21T14:30:00+01:00") from None


def _time(text: str) -> time:
    try:
        return time.fromisoformat(text)
    except ValueError:
        raise ValueError("write a time, such as 14:30") from None


def _nothing(text: str) -> None:
    if text.lower() not in ("none", "null"):
        raise ValueError("write null")


_PARSERS: dict[type, Callable[[str], object]] = {
    int: _whole_number,
    float: _number,
    bool: _truth,
    Path: Path,
    PurePath: PurePath,
    date: _date,
    datetime: _datetime,
    time: _time,
    timedelta: lambda text: timedelta(seconds=seconds(text)),
    NoneType: _nothing,
}


def _by_pydantic(text: str, annotation: object) -> object:
    from pydantic import TypeAdapter, ValidationError
    from pydantic.errors import PydanticSchemaGenerationError, PydanticUndefinedAnnotation

    try:
        adapter = TypeAdapter[object](cast("Any", annotation))
    except (PydanticSchemaGenerationError, PydanticUndefinedAnnotation) as exc:
        raise ValueError("text cannot be read as this type; give it from Python with `.bind(...)`") from exc
    try:
        return adapter.validate_python(_json_or_text(text))
    except ValidationError as exc:
        raise ValueError(words_of(exc)) from None


def _json_or_text(text: str) -> object:
    """Text that starts like a JSON object, list or string is JSON; anything else stays text, to lose no digits."""
    if not text.lstrip().startswith(("{", "[", '"')):
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError as exc:
        raise ValueError(f"it starts like JSON but is none: {exc}") from None
