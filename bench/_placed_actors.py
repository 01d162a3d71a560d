"""The actor that `bench.placed` puts into a process of its own."""

from __future__ import annotations

import os
import time

from actorflow import Actor, handler


class Counter(Actor):
    def __init__(self) -> None:
        self.count = 0

    @handler
    async def add(self, by: int) -> int:
        self.count += by
        return self.count

    @handler
    async def get(self) -> int:
        return self.count

    @handler
    async def pid(self) -> int:
        return os.getpid()

    @handler
    async def cpu_s(self) -> float:
        return time.process_time()
