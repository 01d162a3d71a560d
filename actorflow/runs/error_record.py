"""Error record: a raised exception as plain data, bounded in size.

Which frames are ours, so that a failure can show the user's own first:

| frame | ours |
|---|---|
| of actorflow, of the loop it runs on (anyio, asyncio, trio, concurrent), of the import machinery | yes |
| of another library, outside of every frame of the user | yes |
| of another library, called by the user's code | no |
| anything else: the user's | no |
"""

from __future__ import annotations

import linecache
import os
import traceback
from collections.abc import Iterator
from types import FrameType
from typing import TypeAlias, cast

from actorflow.runs.executor import ErrorRecord, Frame

MAX_MESSAGE_CHARS = 10_000
MAX_TRACEBACK_CHARS = 100_000
MAX_FRAMES = 200

_STDLIB = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_MACHINERY = frozenset(
    {"actorflow", "actorflow_supervisors", "actorflow_transports"}
    | {"anyio", "asyncio", "concurrent", "importlib", "outcome", "runpy", "threading", "trio", "uvloop"}
)

_Group: TypeAlias = BaseExceptionGroup[BaseException]
_Place: TypeAlias = tuple[FrameType, int]


def error_record(error: BaseException) -> ErrorRecord:
    """`error` as data; never raises, whatever the exception's own methods do.

    Of an exception group: the message names its leaves, the frames lead on into its first leaf, and `bases` also holds
    what all its leaves are, so that `retry_on=[OSError]` holds for a group of nothing but OSErrors.
    """
    leaves = list(_leaves(error))
    return ErrorRecord(
        type=type_name(type(error)),
        message=_cut(_message(error, leaves), MAX_MESSAGE_CHARS),
        bases=_bases(error, leaves),
        traceback=_cut(_traceback_text(error), MAX_TRACEBACK_CHARS),
        frames=_frames(error),
    )


def type_name(kind: type) -> str:
    """`module:qualname` of a class."""
    return f"{kind.__module__}:{kind.__qualname__}"


def _leaves(error: BaseException) -> Iterator[BaseException]:
    waiting = [error]
    while waiting:
        one = waiting.pop()
        inside = _inside(one)
        if inside:
            waiting.extend(reversed(inside))
        else:
            yield one


def _inside(error: BaseException) -> tuple[BaseException, ...]:
    """The exceptions of a group, nothing for any other."""
    return cast(_Group, error).exceptions if isinstance(error, BaseExceptionGroup) else ()


def _message(error: BaseException, leaves: list[BaseException]) -> str:
    if leaves == [error]:
        return _text(error)
    named = "; ".join(f"{type(leaf).__name__}: {_text(leaf)}" for leaf in leaves)
    return f"{_text(error)}: {named}"


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:  # noqa: BLE001 - a user's __str__ may raise anything
        return f"<its __str__ raised {type(broken).__name__}>"


def _bases(error: BaseException, leaves: list[BaseException]) -> tuple[str, ...]:
    own = type(error).__mro__
    shared = [kind for kind in type(leaves[0]).__mro__ if all(isinstance(leaf, kind) for leaf in leaves)]
    return tuple(dict.fromkeys(type_name(kind) for kind in (*own, *shared) if kind is not object))


def _traceback_text(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error))
    except Exception as broken:  # noqa: BLE001 - formatting calls the user's __str__ and __repr__
        lines = traceback.format_tb(error.__traceback__)
        return "".join([*lines, f"{type_name(type(error))} <not printable: {type(broken).__name__}>\n"])


def _frames(error: BaseException) -> tuple[Frame, ...]:
    places = _ends(_places(error))
    owners = [_owner(frame) for frame, _ in places]
    # Without a frame outside the libraries, the pipeline itself is an installed package: its library frames are it.
    first_user = owners.index("user") if "user" in owners else 0
    return tuple(
        _frame(frame, line, owner == "machinery" or (owner == "library" and index < first_user))
        for index, ((frame, line), owner) in enumerate(zip(places, owners, strict=True))
    )


def _places(error: BaseException) -> list[_Place]:
    """Frames and lines of `error`, outermost first, and on into the first exception of each group."""
    found: list[_Place] = []
    inner: BaseException | None = error
    while inner is not None:
        found.extend((frame, line or 0) for frame, line in traceback.walk_tb(inner.__traceback__))
        inner = next(iter(_inside(inner)), None)
    return found


def _ends(places: list[_Place]) -> list[_Place]:
    """A deep recursion keeps both its ends."""
    return places if len(places) <= MAX_FRAMES else places[: MAX_FRAMES // 2] + places[-MAX_FRAMES // 2 :]


def _frame(frame: FrameType, line: int, ours: bool) -> Frame:
    file = frame.f_code.co_filename
    linecache.lazycache(file, frame.f_globals)
    return Frame(file, line, frame.f_code.co_name, linecache.getline(file, line).strip(), ours)


def _owner(frame: FrameType) -> str:
    """`user`, `library`, or `machinery`, which carries the user's code."""
    if str(frame.f_globals.get("__name__")).split(".", 1)[0] in _MACHINERY:
        return "machinery"
    file = frame.f_code.co_filename
    return "library" if file.startswith(_STDLIB) or any(part in file for part in _INSTALLED) else "user"


def _cut(text: str, max_chars: int) -> str:
    if len(text) <= max_chars:
        return text
    half = max_chars // 2
    return f"{text[:half]}\n... {len(text) - 2 * half} characters left out ...\n{text[-half:]}"
