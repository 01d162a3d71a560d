"""thespian's simpleSystemBase: a synchronous loop on the caller's thread, nothing concurrent; no 64 askers there."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench.peers._subject import Case, answer, peer

RING = 1_000
LIMIT_S = 60


@dataclass(slots=True)
class Hop:
    """asker: who hears of the end; None until the first actor puts in who sent it."""

    left: int
    asker: Any


def cases() -> Mapping[str, Case]:
    thespian = peer("thespian.actors")
    sink, link = sink_class(thespian), link_class(thespian)

    def in_system(work: Callable[[Any, int], float], count: int) -> float:
        system = thespian.ActorSystem("simpleSystemBase")
        try:
            return work(system, count)
        finally:
            system.shutdown()

    def tell(system: Any, count: int) -> float:
        address = system.createActor(sink)
        began_s = time.perf_counter()
        for _ in range(count):
            system.tell(address, 1)
        assert system.ask(address, "total", LIMIT_S) == count
        return time.perf_counter() - began_s

    def ask(system: Any, count: int) -> float:
        address = system.createActor(sink)
        began_s = time.perf_counter()
        for _ in range(count):
            system.ask(address, "total", LIMIT_S)
        return time.perf_counter() - began_s

    def ring(system: Any, count: int) -> float:
        addresses = [system.createActor(link) for _ in range(RING)]
        for index, address in enumerate(addresses):
            system.tell(address, addresses[(index + 1) % RING])
        began_s = time.perf_counter()
        assert system.ask(addresses[0], Hop(count, None), LIMIT_S) == "done"
        return time.perf_counter() - began_s

    def spawn_stop(system: Any, count: int) -> float:
        began_s = time.perf_counter()
        for _ in range(count):
            system.tell(system.createActor(sink), thespian.ActorExitRequest())
        return time.perf_counter() - began_s

    works = {
        "tell": (100_000, tell),
        "ask": (50_000, ask),
        "ring_1_000": (20_000, ring),
        "spawn_stop": (10_000, spawn_stop),
    }
    return {name: Case(count, partial(in_system, work)) for name, (count, work) in works.items()}


def sink_class(thespian: Any) -> Any:
    def receive(self: Any, message: object, sender: object) -> None:
        if message == "total":
            self.send(sender, self.n)
        elif isinstance(message, int):
            self.n += message

    return type("Sink", (thespian.Actor,), {"receiveMessage": receive, "n": 0})


def link_class(thespian: Any) -> Any:
    def receive(self: Any, message: Any, sender: Any) -> None:
        if isinstance(message, Hop):
            asker = message.asker or sender
            if message.left:
                self.send(self.following, Hop(message.left - 1, asker))
            else:
                self.send(asker, "done")
        elif isinstance(message, thespian.ActorAddress):
            self.following = message

    return type("Link", (thespian.Actor,), {"receiveMessage": receive})


if __name__ == "__main__":
    answer("thespian", cases)
