"""A plain trio program with a supervisor, an actor and a pipeline inside.

python examples/embed_trio.py

A gauge that loses its connection now and then is kept alive by a supervisor. What it reads goes to an actor, and what
the actor has gathered through a pipeline. The rest is trio as everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import trio

from actorflow import Actor, ActorRef, ActorSystem, dag, handler, print_tree, run_async, task
from actorflow.supervisors import ChildSpec, Supervisor

READINGS = 7


class Gatherer(Actor):
    """Keeps what it is told, and says when it is enough."""

    def __init__(self, enough: trio.Event) -> None:
        self.readings: list[int] = []
        self.enough = enough

    @handler
    async def keep(self, reading: int) -> None:
        self.readings.append(reading)
        if len(self.readings) == READINGS:
            self.enough.set()

    @handler
    async def all(self) -> list[int]:
        return self.readings


async def gauge(source: Iterator[int], gatherer: ActorRef[Gatherer]) -> None:
    """Any async function can be a child. This one goes on where its last incarnation broke off."""
    for reading in source:
        await gatherer.tell(Gatherer.keep, reading)
        if reading % 30 == 0:
            raise ConnectionError(f"lost the gauge after {reading}")
    await trio.sleep_forever()


@task
async def above(reading: int, limit: int) -> int:
    return max(0, reading - limit)


@task
async def worst(excesses: list[int]) -> int:
    return max(excesses)


@dag
def alarm(readings: list[int], limit: int = 40) -> int:
    """By how much the highest reading exceeds the limit."""
    return worst(above.map(readings, limit))


async def main() -> None:
    enough = trio.Event()
    source = iter(range(10, 10 * READINGS + 1, 10))
    async with ActorSystem() as system:
        gatherer = await system.spawn(partial(Gatherer, enough), name="gatherer")
        child = ChildSpec(id="gauge", run=partial(gauge, source, gatherer))
        async with Supervisor([child], name="gauges") as supervisor:
            with trio.fail_after(60):
                await enough.wait()
            readings = await gatherer.ask(Gatherer.all)

            result = await run_async(alarm.bind(readings=readings))

            print_tree(system.tree())
            print(f"restarts of the gauge: {supervisor.tree().children[0].restarts}")
            print(f"run {result.run_id}: {result.value} above the limit")
    print("everything has stopped")


if __name__ == "__main__":
    trio.run(main)
