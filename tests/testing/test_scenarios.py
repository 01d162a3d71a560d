"""Acceptance scenarios 1, 22 and 23, on the kit."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import psutil
import pytest

from actorflow.testing import run_virtual
from actorflow.testing.clock import LoopName
from tests.testing.chaos import Finding, chaos
from tests.testing.scenario_file import play

ROOT = Path(__file__).parents[2]
SCHEDULES = 500
SLOW_SCHEDULES = 10_000

OUTCOMES = {"reply", "relayed", "bye", "paid", "late reply", "ActorCrashed", "ActorNotRunning", "AskCycle"}


def run_chaos(loop: LoopName, seeds: range) -> Counter[str]:
    """The outcomes of all asks of these schedules, each of which left nothing behind."""
    files_before = psutil.Process().num_fds()
    seen: Counter[str] = Counter()
    for seed in seeds:
        found: Finding = run_virtual(chaos, seed, backend=loop, seed=seed)
        assert (found.asks_without_one_outcome, found.left, found.cells_left) == (0, (), 0), f"seed {seed}: {found}"
        # The time is virtual: an ask that nobody answered would end by the system's default timeout.
        assert "AskTimeout" not in found.outcomes, f"seed {seed}: {found}"
        seen.update(found.outcomes)
    assert psutil.Process().num_fds() == files_before
    return seen


def test_1_in_each_of_500_random_schedules_every_ask_has_one_outcome_and_nothing_is_left(loop: LoopName) -> None:
    seen = run_chaos(loop, range(SCHEDULES))

    assert seen.keys() >= OUTCOMES


@pytest.mark.slow
def test_1_in_each_of_10_000_random_schedules_every_ask_has_one_outcome_and_nothing_is_left(
    loop: LoopName, scale: int
) -> None:
    seen = run_chaos(loop, range(SCHEDULES, SCHEDULES + SLOW_SCHEDULES * scale))

    assert seen.keys() >= OUTCOMES


def test_1_a_schedule_can_be_replayed_from_its_seed() -> None:
    for seed in range(20):
        first, second = (run_virtual(chaos, seed, backend="trio", seed=seed) for _ in range(2))
        assert first == second


def without_ids(log: str) -> str:
    """Numbers that stand for names nobody gave, made equal."""
    return re.sub(r"\b(account|auditor)-\d+", r"\1-N", log)


@pytest.mark.parametrize("strict", [False, True])
def test_22_one_scenario_file_writes_equal_logs_on_both_loops_in_process_and_strict(strict: bool) -> None:
    for seed in range(10):
        log = without_ids(run_virtual(play, seed, strict))

        assert log == without_ids(run_virtual(play, seed, strict, backend="trio"))
        assert "ours/auditor-N#1 started" in log


def test_23_a_backoff_of_an_hour_passes_on_the_virtual_clock(loop: LoopName) -> None:
    log = run_virtual(play, 7, backend=loop)

    ended_s, started_s = (
        float(line.split()[0]) for line in log.splitlines() if re.search("ours#1 ended|ours#2 started", line)
    )
    # The test's own timeout of two minutes shows that the hours did not pass in reality.
    assert 0 < started_s - ended_s <= 3600
    assert float(log.splitlines()[-1].split()[0]) > 2 * 3600


def test_23_the_same_seed_writes_the_same_bytes_twice_and_another_seed_others(loop: LoopName) -> None:
    first, second, other = (run_virtual(play, seed, backend=loop, seed=seed).encode() for seed in (7, 7, 8))

    assert first == second
    assert first != other


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_23_the_same_seed_writes_the_same_bytes_in_another_process(loop: LoopName, hash_seed: str) -> None:
    command = [sys.executable, "-m", "tests.testing.scenario_file", loop, "7"]
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}

    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)

    assert done.stdout == run_virtual(play, 7, backend=loop, seed=7).encode()
