"""Lines: the steps that have something to start, one line an executor, and the slots of each.

Of the ready instances the deepest step goes first, then the earlier map index, so that a map runs depth first and its
intermediate values are soon released. An executor that works in topological order (`inline`) takes the earliest step
first. Where the run has limits (admission.py), a step whose next attempt does not fit leaves its line and waits.

Where attempts of a step take little time, more of them than there are slots may be handed over ahead. An instance that
was tried before never is: if it is what takes the machine down, few others were under way with it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from actorflow.flows.limits import Caps, Need, need_of
from actorflow.runs.admission import Admission
from actorflow.runs.stage_state import StageState

QUICK_S: Final = 0.002
"""Attempts that typically take less are handed over ahead: all of them together take a moment."""

WEIGHT: Final = 0.2
"""Of the last attempt, in what is typical."""


class Lines:
    """What may start next.

    slots: how many attempts may run at once, by executor. ahead: how many more of those that take little time. caps:
    what they may take together.
    """

    def __init__(
        self, slots: Mapping[str, int], in_order: Iterable[str], caps: Caps, ahead: Mapping[str, int] | None = None
    ) -> None:
        self._free = dict(slots)
        self._ahead = ahead or {}
        self._typical_s: dict[str, float] = {}
        self._in_order = frozenset(in_order)
        self._ready: dict[str, list[tuple[int, int, StageState]]] = {name: [] for name in slots}
        self._caps = caps
        self._admission = Admission(caps) if caps.max_memory_bytes is not None or caps.max_cpus is not None else None
        self._waiting: list[StageState] = []

    def offer(self, stage: StageState) -> None:
        """Stand `stage` in its executor's line if it has something that may start and does not stand there yet."""
        if stage.in_line or not stage.may_start():
            return
        stage.in_line = True
        priority = stage.position if stage.executor in self._in_order else -stage.depth
        heapq.heappush(self._ready[stage.executor], (priority, stage.position, stage))

    def startable(self) -> Iterator[tuple[StageState, int, tuple[int, ...]]]:
        """Take what starts now out of the lines: a step, the instance, and the CPUs it is held to.

        The caller begins each attempt before it asks for the next.
        """
        if self._waiting:
            yield from self._startable_waiting()
        for executor, line in self._ready.items():
            while line:
                stage = line[0][2]
                if not stage.may_start():
                    heapq.heappop(line)
                    stage.in_line = False
                    continue
                if self._free[executor] <= 0 and not self._may_go_ahead(executor, stage):
                    break
                if self._admission is not None and not self._admits(self._admission, stage):
                    heapq.heappop(line)
                    self._waiting.append(stage)
                    continue
                if self._admission is None:
                    self._free[executor] -= 1
                    yield stage, stage.next_queued(), ()
                else:
                    yield self._taken(self._admission, stage)

    def ended(self, stage: StageState, index: int, took_s: float | None = None) -> None:
        """An attempt runs no more: its slot is free, and what it counted for. took_s: what its body took, if known."""
        self._free[stage.executor] += 1
        if took_s is not None:
            typical_s = self._typical_s.get(stage.name, took_s)
            self._typical_s[stage.name] = typical_s + (took_s - typical_s) * WEIGHT
        if self._admission is not None:
            self._admission.give_back((stage.name, index))

    def _may_go_ahead(self, executor: str, stage: StageState) -> bool:
        """True if the next attempt of a step may be handed over though every slot is taken."""
        ahead = self._ahead.get(executor, 0)
        return (
            self._free[executor] + ahead > 0
            and self._admission is None
            and self._typical_s.get(stage.name, QUICK_S) < QUICK_S
            and stage.attempt_number(stage.first_queued()) == 1
        )

    def _startable_waiting(self) -> Iterator[tuple[StageState, int, tuple[int, ...]]]:
        """In order of arrival; a step that has started something goes to the end with what else it has."""
        admission = self._admission
        assert admission is not None
        for stage in list(self._waiting):
            has_started = False
            while stage.may_start() and self._free[stage.executor] > 0 and self._admits(admission, stage):
                has_started = True
                yield self._taken(admission, stage)
            if not stage.may_start():
                self._waiting.remove(stage)
                stage.in_line = False
            elif has_started:
                self._waiting.remove(stage)
                self._waiting.append(stage)

    def _taken(self, admission: Admission, stage: StageState) -> tuple[StageState, int, tuple[int, ...]]:
        self._free[stage.executor] -= 1
        index = stage.next_queued()
        held = admission.take((stage.name, index), self._need(stage, index), of=stage, pinned=stage.step.affinity)
        return stage, index, held.cpu_ids

    def _admits(self, admission: Admission, stage: StageState) -> bool:
        first = self._waiting[0] if self._waiting else None
        return admission.admits(self._need(stage, stage.first_queued()), of=stage, first=first)

    def _need(self, stage: StageState, index: int) -> Need:
        ran_out = stage.ran_out(index)
        return need_of(stage.step, stage.executor, self._caps, ran_out) if ran_out else stage.planned.need
