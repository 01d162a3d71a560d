"""Frames: what an actor's process and its owner write to each other, as msgpack arrays over one connection.

Bodies are bytes of the values' codec: arguments, replies, errors. A parcel is a body, or a list of plain arguments, the
named ones in a map at its end; a plain reply is no body either, but itself. Messages and replies leave in batches,
flat in one frame, since most of their cost is that of a frame. `number` counts the messages of the placed actor
itself; `id` counts calls of any other actor, each side for its own; `key` names an actor that the other side may call.

| from    | frame     | fields                                                                             |
|---------|-----------|------------------------------------------------------------------------------------|
| owner   | spawn     | factory's module, its name, body of its arguments, the actor's address              |
| owner   | messages  | number of the first; of each: handler, parcel, seconds left or None, False if told |
| owner   | drop      | number: its asker has gone                                                         |
| owner   | stop      | why, in words; seconds of grace or None                                            |
| owner   | look      |                                                                                    |
| owner   | leave     | why, in words: end behind the message in hand                                      |
| process | up        | the actor's class                                                                  |
| process | replies   | of each: number, how, body                                                         |
| process | done      | number: all up to it are finished                                                  |
| process | dropped   | number: it will not be handled, its asker having gone                              |
| process | letter    | handler, reason, why in words: a dead letter                                       |
| process | seen      | body of what is below the actor there (`sight`)                                    |
| process | ended     | body of the exit reason                                                            |
| both    | call      | id, key, handler, body, seconds left or None, from the placed actor itself         |
| both    | send      | id, key, handler, body                                                             |
| both    | taken     | id of a call or send that lies in its mailbox, or never will                       |
| both    | uncall    | id: its asker has gone                                                             |
| both    | answer    | id, how, body                                                                      |
| both    | watch     | id, key                                                                            |
| both    | unwatch   | id                                                                                 |
| both    | gone      | id, body of the exit reason                                                        |
"""

from __future__ import annotations

from typing import Any, Final, NoReturn

from actorflow.actors.codec.lower import SCALARS
from actorflow.actors.codec.wire import pack_flat, unpack


class Kind:
    """Which frame it is; the codes are the wire format: append, never renumber (1, 2 and 6 were used).

    Plain ints: msgpack takes no others.
    """

    spawn: Final = 0
    drop: Final = 3
    stop: Final = 4
    up: Final = 5
    done: Final = 7
    ended: Final = 8
    call: Final = 9
    send: Final = 10
    taken: Final = 11
    uncall: Final = 12
    answer: Final = 13
    watch: Final = 14
    unwatch: Final = 15
    gone: Final = 16
    dropped: Final = 17
    letter: Final = 18
    messages: Final = 19
    replies: Final = 20
    look: Final = 21
    seen: Final = 22
    leave: Final = 23


class How:
    """What a body answers with: a value, or an error; or a plain value, which is no body."""

    value: Final = 0
    error: Final = 1
    plain: Final = 2


TOLD: Final = False
"""In place of the seconds that are left: nobody waits for an answer."""


class NotAFrame(Exception):
    """Bytes that are none of the table, or not from the side that sends them."""


_NONE: Final = type(None)
_NUMBER: Final = (float, int, _NONE)
_FIELDS: Final[dict[int, tuple[Any, ...]]] = {
    Kind.spawn: (str, str, bytes, str, int, str),
    Kind.drop: (int,),
    Kind.stop: (str, _NUMBER),
    Kind.up: (str,),
    Kind.done: (int,),
    Kind.dropped: (int,),
    Kind.letter: (str, str, str),
    Kind.ended: (bytes,),
    Kind.call: (int, int, str, bytes, _NUMBER, bool),
    Kind.send: (int, int, str, bytes),
    Kind.taken: (int,),
    Kind.uncall: (int,),
    Kind.answer: (int, int, bytes),
    Kind.watch: (int, int),
    Kind.unwatch: (int,),
    Kind.gone: (int, bytes),
    Kind.look: (),
    Kind.seen: (bytes,),
    Kind.leave: (str,),
}
_EACH: Final[dict[int, tuple[frozenset[Any], frozenset[Any], frozenset[Any]]]] = {
    Kind.messages: (frozenset({str}), frozenset({bytes, list}), frozenset({float, int, bool, _NONE})),
    Kind.replies: (frozenset({int}), frozenset({int}), SCALARS),
}
"""Of the frames that repeat three fields: the types of each. messages: behind the number of the first."""


def pack_frame(item: object) -> bytes:
    """item: a list of a `Kind` and its fields."""
    return pack_flat(item)


def read_frame(data: bytes) -> list[Any]:
    """The list that was packed, its fields of the types of the table. Raises NotAFrame."""
    try:
        found = unpack(data, _no_extension)
    except Exception as exc:
        raise NotAFrame(f"not msgpack: {exc}") from exc
    if not isinstance(found, list) or not found:
        raise NotAFrame("not a list")
    frame: list[Any] = found  # pyright: ignore[reportUnknownVariableType]  # of anything, until it is looked at below
    if frame[0] in (Kind.messages, Kind.replies):
        return _batch(frame)
    try:
        expected = _FIELDS[frame[0]]
    except (KeyError, TypeError):
        raise NotAFrame(f"kind {frame[0]!r:.40} is unknown") from None
    if len(frame) != len(expected) + 1 or not all(map(isinstance, frame[1:], expected)):
        raise NotAFrame(f"the fields of {name_of(frame)} do not fit")
    return frame


def _batch(frame: list[Any]) -> list[Any]:
    """Many in one: looked at in three sweeps, not one by one."""
    begin = 2 if frame[0] == Kind.messages else 1
    fits = len(frame) > begin and (len(frame) - begin) % 3 == 0 and type(frame[1]) is int
    firsts, seconds, thirds = _EACH[frame[0]]
    if not (
        fits
        and firsts.issuperset(map(type, frame[begin::3]))
        and seconds.issuperset(map(type, frame[begin + 1 :: 3]))
        and thirds.issuperset(map(type, frame[begin + 2 :: 3]))
    ):
        raise NotAFrame(f"the fields of {name_of(frame)} do not fit")
    return frame


def name_of(frame: list[Any]) -> str:
    """What a frame of the table is called."""
    return next(name for name, code in vars(Kind).items() if code == frame[0])


def _no_extension(code: int, data: bytes) -> NoReturn:
    raise NotAFrame(f"extension {code}")
