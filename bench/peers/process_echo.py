"""Bare children that write back what they read, one request under way in each: the limit of one message a task."""

from __future__ import annotations

from collections.abc import Mapping

from bench.peers._subject import Case, answer
from bench.process import Options, echo

WORKERS = 2


def fan(count: int) -> float:
    return count / echo(Options("asyncio", count, WORKERS, 1))


def chain(count: int) -> float:
    return count / echo(Options("asyncio", count, 1, 1))


def cases() -> Mapping[str, Case]:
    return {"fan_1000": Case(1_000, fan), "chain_200": Case(200, chain)}


if __name__ == "__main__":
    answer("", cases)
