"""What every subject of the comparison does: run its cases and answer their rates as JSON, or say why it cannot."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from typing import Any

RESULT_FILE = "BENCH_PEERS_RESULT"
"""Of the environment: where the answer goes; a peer prints what it likes on stdout."""


@dataclass(frozen=True, slots=True)
class Case:
    """So many operations, and what runs them and gives the seconds that they took on the wall's clock."""

    operations: int
    run: Callable[[int], float]


class Absent(Exception):
    """A peer that is not installed, or cannot be imported."""


def peer(module: str) -> Any:
    """The peer's module. Peers bring no types that could be relied on, so this is where they stop being checked."""
    try:
        return import_module(module)
    except Exception as error:
        raise Absent(f"cannot import {module}: {type(error).__name__}: {error}") from error


def answer(distribution: str, make_cases: Callable[[], Mapping[str, Case]]) -> None:
    """The main function of a subject: `python -m bench.peers.SUBJECT [--scale 1.0]`.

    distribution: whose version is told; "" for what is no peer.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--scale", type=float, default=1.0)
    scale: float = parser.parse_args().scale
    logging.disable(logging.CRITICAL)
    try:
        found = _measured(distribution, make_cases(), scale)
    except Absent as error:
        found = {"absent": str(error)}
    text = json.dumps(found)
    path = os.environ.get(RESULT_FILE)
    if path is None:
        print(text)
    else:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


def _measured(distribution: str, cases: Mapping[str, Case], scale: float) -> dict[str, Any]:
    rates: dict[str, float] = {}
    failed: dict[str, str] = {}
    for name, case in cases.items():
        operations = max(64, int(case.operations * scale))
        try:
            rates[name] = operations / case.run(operations)
        except Exception as error:  # noqa: BLE001 - reported as the case's outcome
            failed[name] = f"{type(error).__name__}: {error}".splitlines()[0][:200]
            print(f"{distribution} {name}: {failed[name]}", file=sys.stderr)
    return {"version": version(distribution) if distribution else "", "per_s": rates, "failed": failed}
