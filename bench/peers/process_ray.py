"""Ray with two CPUs and no dashboard; nothing is kept."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from bench._process_tasks import noop
from bench.peers._subject import Case, answer, peer

OBJECT_STORE_BYTES = 100 << 20


def cases() -> Mapping[str, Case]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray = peer("ray")
    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=OBJECT_STORE_BYTES, log_to_driver=False)
    remote = ray.remote(noop)
    ray.get([remote.remote(number) for number in range(100)])

    def fan(count: int) -> float:
        began_s = time.perf_counter()
        assert len(ray.get([remote.remote(number) for number in range(count)])) == count
        return time.perf_counter() - began_s

    def chain(count: int) -> float:
        began_s = time.perf_counter()
        value = remote.remote(0)
        for _ in range(count - 1):
            value = remote.remote(value)
        ray.get(value)
        return time.perf_counter() - began_s

    return {"fan_1000": Case(1_000, fan), "chain_200": Case(200, chain)}


if __name__ == "__main__":
    answer("ray", cases)
