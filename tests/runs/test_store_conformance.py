"""Both stores keep every promise of the kit, on both loops."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from actorflow.runs.store import MemoryStore, RunStore, SqliteStore
from actorflow.testing.stores import CHECKS, Check

STORES: dict[str, Callable[[Path], RunStore]] = {
    "sqlite": lambda folder: SqliteStore(folder / "store"),
    "memory": lambda _: MemoryStore(),
}


@pytest.mark.anyio
@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_a_store_keeps_its_promises(check: Check, store: str, tmp_path: Path) -> None:
    await check(STORES[store](tmp_path))
