"""Results: what the instances of one step returned, by index, without an object more for each that is small.

A value with its encoded form beside it takes 120 bytes, which a map of a million cannot afford for each of its numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from actorflow.runs.values import VALUE_CODEC, Value

SMALL_BYTES: Final = 512
"""Encoded size up to which a value is made again from the little that is kept of it."""


class _Nothing:
    """No result, or it was let go."""


_NOTHING: Final = _Nothing()


class Results:
    """`count` results, none there at first. One set is got as an equal value, and as that very one if it is large.

    kept of each | what is got
    a Value | that
    bytes | the value of that encoded form
    anything else | the value of that object
    """

    __slots__ = ("_kept",)

    def __init__(self, count: int) -> None:
        self._kept: list[object] = [_NOTHING] * count

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, index: int) -> Value | None:
        """None where there is none."""
        kept = self._kept[index]
        if isinstance(kept, Value):
            return kept
        if kept is _NOTHING:
            return None
        return Value.from_bytes(kept) if isinstance(kept, bytes) else Value.of(kept)

    def __setitem__(self, index: int, value: Value | None) -> None:
        self._kept[index] = _NOTHING if value is None else value.least(SMALL_BYTES) if len(self._kept) > 1 else value

    def objects(self) -> list[object]:
        """The object of each in order, None where there is none; raises what `Value.get` does."""
        return list(self._objects())

    def _objects(self) -> Iterator[object]:
        for kept in self._kept:
            if kept is _NOTHING:
                yield None
            elif isinstance(kept, Value):
                yield kept.get()
            else:
                yield VALUE_CODEC.decode(kept) if isinstance(kept, bytes) else kept


NO_RESULTS: Final = Results(0)
"""Of a step that has no instances yet, or whose results were let go of."""
