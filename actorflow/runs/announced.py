"""Announced: an executor whose attempts begin only once their start is on disk, whatever they run on.

On the loop of a run an attempt may begin before that, since a crash loses both. Where a run is taken up unattended that
is not good enough: a task that ends its process at once must be counted, or nobody would ever stop starting it.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from actorflow.runs.executor import AttemptSpec, Capabilities, Executor, Outcome, RunSite


class AnnouncedExecutor:
    """The same executor, with `announced` among its capabilities."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    @property
    def name(self) -> str:
        return self._executor.name

    @property
    def slots(self) -> int:
        return self._executor.slots

    @property
    def capabilities(self) -> Capabilities:
        return replace(self._executor.capabilities, announced=True)

    def opened(self, site: RunSite) -> AbstractAsyncContextManager[None]:
        return self._executor.opened(site)

    async def execute(self, attempt: AttemptSpec) -> Outcome:
        return await self._executor.execute(attempt)

    def kill(self) -> None:
        self._executor.kill()
