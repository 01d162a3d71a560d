"""The published line: so many kills, power cuts and bit flips, and nothing acknowledged that was lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.leaks import leak_audit as leak_audit

pytestmark = pytest.mark.usefixtures("leak_audit")

ROOT = Path(__file__).parents[2]


def survived(kills: int, cuts: int, flips: int) -> str:
    counts = ["--kills", str(kills), "--cuts", str(cuts), "--flips", str(flips)]
    command = [sys.executable, "-m", "tests.faults.survival", *counts]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_nothing_acknowledged_is_lost(scale: int) -> None:
    told = survived(20 * scale, 40 * scale, 30 * scale)

    assert told == (
        f"{20 * scale} kills, {40 * scale} power cuts, {30 * scale} bit flips; "
        "0 acknowledged results lost, 0 flips unnoticed\n"
    )


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_nothing_acknowledged_is_lost_over_many(scale: int) -> None:
    told = survived(2_000 * scale, 1_000 * scale, 2_000 * scale)

    print(told)
    assert "; 0 acknowledged results lost, 0 flips unnoticed\n" in told
