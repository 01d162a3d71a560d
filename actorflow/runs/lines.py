"""Lines: the steps that have something to start, one line an executor, and the slots of each.

Of the ready instances the deepest step goes first, then the earlier map index, so that a map runs depth first and its
intermediate values are soon released. An executor that works in topological order (`inline`) takes the earliest step
first.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping

from actorflow.runs.stage_state import StageState


class Lines:
    """What may start next. slots: how many attempts may run at once, by executor."""

    def __init__(self, slots: Mapping[str, int], in_order: Iterable[str]) -> None:
        self._free = dict(slots)
        self._in_order = frozenset(in_order)
        self._ready: dict[str, list[tuple[int, int, StageState]]] = {name: [] for name in slots}

    def offer(self, stage: StageState) -> None:
        """Stand `stage` in its executor's line if it has something that may start and does not stand there yet."""
        if stage.in_line or not stage.may_start():
            return
        stage.in_line = True
        priority = stage.position if stage.executor in self._in_order else -stage.depth
        heapq.heappush(self._ready[stage.executor], (priority, stage.position, stage))

    def startable(self) -> Iterator[tuple[StageState, int]]:
        """Take what starts now out of the lines, each with its slot; the caller begins each attempt before the next."""
        for executor, line in self._ready.items():
            while line and self._free[executor] > 0:
                stage = line[0][2]
                if not stage.may_start():
                    heapq.heappop(line)
                    stage.in_line = False
                    continue
                self._free[executor] -= 1
                yield stage, stage.next_queued()

    def ended(self, stage: StageState) -> None:
        """An attempt of `stage` runs no more: its slot is free."""
        self._free[stage.executor] += 1
