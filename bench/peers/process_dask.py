"""Dask: a LocalCluster of two processes with a thread each, no dashboard; nothing is kept."""

from __future__ import annotations

import time
from collections.abc import Mapping

from bench._process_tasks import noop
from bench.peers._subject import Case, answer, peer


def cases() -> Mapping[str, Case]:
    distributed = peer("distributed")
    cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    client = distributed.Client(cluster)
    client.gather(client.map(noop, range(100), pure=False))

    def fan(count: int) -> float:
        began_s = time.perf_counter()
        assert len(client.gather(client.map(noop, range(count), pure=False))) == count
        return time.perf_counter() - began_s

    def chain(count: int) -> float:
        began_s = time.perf_counter()
        value = client.submit(noop, 0, pure=False)
        for _ in range(count - 1):
            value = client.submit(noop, value, pure=False)
        value.result()
        return time.perf_counter() - began_s

    return {"fan_1000": Case(1_000, fan), "chain_200": Case(200, chain)}


if __name__ == "__main__":
    answer("distributed", cases)
