"""A map of large outputs, read element by element: prints the peak memory of this process in MiB.

`flat_memory.py FOLDER WIDTH`
"""

from __future__ import annotations

import resource
import sys

import actorflow

VALUE_BYTES = 2 * 1024 * 1024


@actorflow.task(executor="async", max_in_flight=4)
async def page(number: int) -> bytes:
    return number.to_bytes(4, "big") * (VALUE_BYTES // 4)


@actorflow.task(executor="async", max_in_flight=4)
async def size(content: bytes) -> int:
    return len(content)


@actorflow.task(executor="async")
async def total(sizes: list[int]) -> int:
    return sum(sizes)


@actorflow.dag
def pages(width: int = 1) -> int:
    return total(size.map(page.map(numbers(width))))


@actorflow.task(executor="async")
async def numbers(width: int) -> list[int]:
    return list(range(width))


if __name__ == "__main__":
    folder, width = sys.argv[1], int(sys.argv[2])
    result = actorflow.run(pages.bind(width=width), store=folder)
    assert result.value == width * VALUE_BYTES
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
