"""Seeds: one seed is one order of tasks on trio, and a failure says which."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
import trio

from actorflow.testing.clock import run_virtual
from actorflow.testing.schedule import SEED_VARIABLE, pick_seed

FAILING_TESTS = """
from actorflow.testing.clock import run_virtual

async def lose() -> None:
    assert "heads" == "tails"

def test_that_fails() -> None:
    run_virtual(lose)

def test_that_fails_on_trio() -> None:
    run_virtual(lose, backend="trio")
"""


async def steps() -> list[str]:
    """The order in which ten tasks take ten turns each."""
    taken: list[str] = []

    async def walk(name: str) -> None:
        for turn in range(10):
            taken.append(f"{name}{turn}")
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as tasks:
        for name in "abcdefghij":
            tasks.start_soon(walk, name)
    return taken


def test_on_trio_the_same_seed_gives_the_same_order_and_other_seeds_others() -> None:
    orders = [run_virtual(steps, backend="trio", seed=seed) for seed in range(20)]

    assert orders == [run_virtual(steps, backend="trio", seed=seed) for seed in range(20)]
    assert len({tuple(order) for order in orders}) == 20


def test_on_asyncio_the_order_is_first_in_first_out_whatever_the_seed() -> None:
    expected = [f"{name}{turn}" for turn in range(10) for name in "abcdefghij"]

    assert [run_virtual(steps, seed=seed) for seed in range(5)] == [expected] * 5


def test_a_seeded_run_leaves_trios_own_schedule_as_it_was() -> None:
    run = trio._core._run
    before = (run._ALLOW_DETERMINISTIC_SCHEDULING, run._r.getstate())

    run_virtual(steps, backend="trio", seed=1)

    assert (run._ALLOW_DETERMINISTIC_SCHEDULING, run._r.getstate()) == before


def test_a_trio_without_the_hook_is_an_error_that_names_the_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING")

    with pytest.raises(RuntimeError, match=r"no seeded schedule; it is known to work with trio 0\.27 to"):
        run_virtual(steps, backend="trio")


def test_a_seed_comes_from_the_call_then_the_environment_then_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SEED_VARIABLE, "77")
    assert (pick_seed(5), pick_seed(None)) == (5, 77)

    monkeypatch.delenv(SEED_VARIABLE)
    assert len({pick_seed(None) for _ in range(5)}) > 1


def test_a_seed_in_the_environment_that_is_no_number_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SEED_VARIABLE, "lucky")

    with pytest.raises(ValueError, match="ACTORFLOW_SEED must be a whole number, not 'lucky'"):
        run_virtual(steps)


def test_a_failing_test_prints_its_seed_and_how_to_replay_it(tmp_path: Path) -> None:
    path = tmp_path / "test_failing.py"
    path.write_text(FAILING_TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-rN", "-p", "no:cacheprovider", str(path)]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    told = re.findall(r"seed (\d+) on (\w+) .*; to replay: ACTORFLOW_SEED=(\d+), or seed=(\d+)", done.stdout)
    assert sorted(loop for _, loop, _, _ in told) == ["asyncio", "trio"], done.stdout
    assert all(seed == variable == argument for seed, _, variable, argument in told)


def test_the_seed_in_the_environment_replays_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SEED_VARIABLE, "4711")

    assert run_virtual(steps, backend="trio") == run_virtual(steps, backend="trio", seed=4711)
