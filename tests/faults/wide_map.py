"""A wide map of small results: prints how many there were, and the peak memory of this process in MiB.

`wide_map.py FOLDER WIDTH STAGES`
"""

from __future__ import annotations

import resource
import sys

import actorflow


@actorflow.task
async def numbers(width: int) -> list[int]:
    return list(range(width))


@actorflow.task
async def step(number: int) -> int:
    return number + 1


@actorflow.task
async def count(results: list[int]) -> int:
    return len(results)


@actorflow.dag
def one(width: int = 1) -> int:
    return count(step.map(numbers(width)))


@actorflow.dag
def two(width: int = 1) -> int:
    return count(step.map(step.map(numbers(width))))


if __name__ == "__main__":
    folder, width, stages = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    result = actorflow.run((one if stages == 1 else two).bind(width=width), store=folder)
    print(result.value, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
