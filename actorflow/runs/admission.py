"""Admission: may an attempt start now, so that those that run stay within the memory and the CPUs of the run?

A step whose next attempt does not fit waits, in order of arrival. The one that waits longest is the *first*; others
that fit may go before it, but only so often:

| the attempt needs | it fits | who waits longest | others went before that one | it |
|---|---|---|---|---|
| nothing | - | anybody | any number | starts |
| something | yes | nobody, or this one | - | starts |
| something | yes | another | fewer than 16 times | starts, and this counts |
| something | yes | another | 16 times | waits: what is given back is kept for the first |
| something | no | - | - | waits |

So nobody starves: after 16 others nothing that needs anything starts until the first does, and it does at the latest
when all that ran has ended, since no plan holds a task that needs more than there is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from actorflow.flows.limits import Caps, Need

MAX_OVERTAKES = 16
"""How many attempts that need something may start before the one that waits longest."""

_SMALL = 1e-9


@dataclass(frozen=True, slots=True)
class Held:
    """What a running attempt has. cpu_ids: the CPUs it is held to; () for any."""

    need: Need
    cpu_ids: tuple[int, ...] = ()


class Admission:
    """What is free of the memory and the CPUs of a run, and who waits for it. K is what names an attempt."""

    def __init__(self, caps: Caps) -> None:
        self._free_bytes = caps.max_memory_bytes
        self._free_cpus = caps.max_cpus
        self._held: dict[tuple[str, int], Held] = {}
        self._uses = Counter(dict.fromkeys(caps.cpu_ids, 0))
        self._first: object = None
        self._overtaken = 0

    def admits(self, need: Need, *, of: object, first: object) -> bool:
        """True if an attempt of `of` may start now. first: who waits longest, None for nobody."""
        if first is not self._first:
            self._first, self._overtaken = first, 0
        if not need:
            return True
        if not self._fits(need):
            return False
        return first is None or of is first or self._overtaken < MAX_OVERTAKES

    def take(self, instance: tuple[str, int], need: Need, *, of: object, pinned: bool = False) -> Held:
        """The attempt starts."""
        if need and self._first is not None and of is not self._first:
            self._overtaken += 1
        if self._free_bytes is not None:
            self._free_bytes -= need.memory_bytes
        if self._free_cpus is not None:
            self._free_cpus -= need.cpus
        held = Held(need, self._least_used(int(need.cpus)) if pinned else ())
        self._uses.update(held.cpu_ids)
        self._held[instance] = held
        return held

    def give_back(self, instance: tuple[str, int]) -> None:
        """The attempt has ended."""
        held = self._held.pop(instance)
        if self._free_bytes is not None:
            self._free_bytes += held.need.memory_bytes
        if self._free_cpus is not None:
            self._free_cpus += held.need.cpus
        self._uses.subtract(held.cpu_ids)

    def _fits(self, need: Need) -> bool:
        enough_memory = self._free_bytes is None or need.memory_bytes <= self._free_bytes
        return enough_memory and (self._free_cpus is None or need.cpus <= self._free_cpus + _SMALL)

    def _least_used(self, count: int) -> tuple[int, ...]:
        """The CPUs that the fewest pinned attempts are held to."""
        by_use: Sequence[int] = sorted(self._uses, key=lambda cpu: (self._uses[cpu], cpu))
        return tuple(sorted(by_use[:count]))
