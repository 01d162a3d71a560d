"""pykka: a thread and an unbounded queue for each actor; asks are futures."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from bench.peers._subject import Case, answer, peer

RING = 1_000
OUTSTANDING = 64


def cases() -> Mapping[str, Case]:
    pykka = peer("pykka")
    sink, link = sink_class(pykka), link_class(pykka)

    def tell(count: int) -> float:
        ref = sink.start()
        began_s = time.perf_counter()
        for _ in range(count):
            ref.tell(1)
        assert ref.ask("total") == count
        took_s = time.perf_counter() - began_s
        ref.stop()
        return took_s

    def ask(count: int) -> float:
        ref = sink.start()
        began_s = time.perf_counter()
        for _ in range(count):
            ref.ask("total", timeout=60)
        took_s = time.perf_counter() - began_s
        ref.stop()
        return took_s

    def ask_64(count: int) -> float:
        """One asker with 64 futures outstanding, which is pykka's own way and faster than 64 threads."""
        ref = sink.start()
        began_s = time.perf_counter()
        for _ in range(count // OUTSTANDING):
            for future in [ref.ask("total", block=False) for _ in range(OUTSTANDING)]:
                future.get(timeout=60)
        took_s = time.perf_counter() - began_s
        ref.stop()
        return took_s

    def ring(count: int) -> float:
        ended = threading.Event()
        refs = [link.start(ended.set) for _ in range(RING)]
        for index, ref in enumerate(refs):
            ref.ask(refs[(index + 1) % RING])
        began_s = time.perf_counter()
        refs[0].tell(count)
        ended.wait()
        took_s = time.perf_counter() - began_s
        pykka.ActorRegistry.stop_all()
        return took_s

    def spawn_stop(count: int) -> float:
        began_s = time.perf_counter()
        for _ in range(count):
            sink.start().stop()
        return time.perf_counter() - began_s

    return {
        "tell": Case(200_000, tell),
        "ask": Case(20_000, ask),
        "ask_64_askers": Case(64_000, ask_64),
        "ring_1_000": Case(20_000, ring),
        "spawn_stop": Case(2_000, spawn_stop),
    }


def sink_class(pykka: Any) -> Any:
    def on_start(self: Any) -> None:
        self.n = 0

    def on_receive(self: Any, message: object) -> object:
        if message == "total":
            return self.n
        self.n += message
        return None

    return type("Sink", (pykka.ThreadingActor,), {"on_start": on_start, "on_receive": on_receive})


def link_class(pykka: Any) -> Any:
    def init(self: Any, done: Any) -> None:
        pykka.ThreadingActor.__init__(self)
        self.done = done

    def on_receive(self: Any, message: object) -> None:
        if not isinstance(message, int):
            self.following = message
        elif message:
            self.following.tell(message - 1)
        else:
            self.done()

    return type("Link", (pykka.ThreadingActor,), {"__init__": init, "on_receive": on_receive})


if __name__ == "__main__":
    answer("pykka", cases)
