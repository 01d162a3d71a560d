"""The critical path: what held the end of a run up, from its end backwards. Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

K = TypeVar("K", bound=Hashable)


def critical_path(last: K, released_by: Callable[[K], Iterable[tuple[K, float]]]) -> list[K]:
    """From the first to `last`, each one released by the end of the one before it.

    released_by: for one of them, those whose ends it had to wait for, each with when it ended. Of several the latest
    counts; of equally late ones the first that is named. There must be no circle.
    """
    path = [last]
    while True:
        found = list(released_by(path[-1]))
        if not found:
            return path[::-1]
        path.append(max(found, key=lambda one: one[1])[0])
