"""Episode: a start or restart in progress, and how several of them go together.

An episode first stops members in reverse order, then waits for its timer, then starts members in order. Episodes never
share a member: one that would is merged with those it touches, so a failure during a restart widens it and never waits.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Episode:
    """Members still to stop, the timer to wait for, members still to start."""

    to_stop: set[str]
    to_start: set[str]
    timer: int | None = None
    due_s: float = 0.0
    boot: bool = False

    def touches(self, child_ids: Collection[str]) -> bool:
        return not (self.to_stop.isdisjoint(child_ids) and self.to_start.isdisjoint(child_ids))


class Episodes:
    """The episodes of one supervisor."""

    __slots__ = ("_all",)

    def __init__(self) -> None:
        self._all: list[Episode] = []

    def __iter__(self) -> Iterator[Episode]:
        return iter(list(self._all))

    def __contains__(self, episode: Episode) -> bool:
        return episode in self._all

    def add(self, episode: Episode) -> Episode:
        self._all.append(episode)
        return episode

    def remove(self, episode: Episode) -> None:
        self._all.remove(episode)

    def merged(self, to_stop: set[str], to_start: set[str]) -> tuple[Episode, list[int]]:
        """One episode in place of all that touch these members, and the timers that no longer count.

        The latest timer of the merged ones goes on to count.
        """
        touched = [episode for episode in self._all if episode.touches(to_stop | to_start)]
        whole = Episode(set(to_stop), set(to_start), boot=any(episode.boot for episode in touched))
        timers: list[tuple[float, int]] = []
        for episode in touched:
            self._all.remove(episode)
            whole.to_stop |= episode.to_stop
            whole.to_start |= episode.to_start
            if episode.timer is not None:
                timers.append((episode.due_s, episode.timer))
        if timers:
            timers.sort()
            whole.due_s, whole.timer = timers.pop()
        self._all.append(whole)
        return whole, [timer for _, timer in timers]

    def clear(self) -> list[int]:
        """Forget all; returns the timers that were pending."""
        timers = [episode.timer for episode in self._all if episode.timer is not None]
        self._all.clear()
        return timers

    def will_stop(self, child_id: str) -> bool:
        return any(child_id in episode.to_stop for episode in self._all)

    def will_start(self, child_id: str) -> bool:
        return any(child_id in episode.to_start for episode in self._all)

    def booting(self, child_id: str) -> bool:
        """True if `child_id` is still to start in the first start of the supervisor."""
        return any(episode.boot and child_id in episode.to_start for episode in self._all)

    def need_not_stop(self, child_id: str) -> None:
        for episode in self._all:
            episode.to_stop.discard(child_id)

    def need_not_start(self, child_id: str) -> None:
        for episode in self._all:
            episode.to_start.discard(child_id)
