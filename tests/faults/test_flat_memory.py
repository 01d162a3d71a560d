"""The memory of a run: large outputs wait for their readers on disk, small ones take little more than themselves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.leaks import leak_audit as leak_audit

pytestmark = pytest.mark.usefixtures("leak_audit")

SCRIPT = Path(__file__).with_name("flat_memory.py")
WIDE_MAP = Path(__file__).with_name("wide_map.py")
GROWTH_MIB = 160
"""Of 400 MiB of outputs: what may wait for the disk (64 MiB), what is read again (32 MiB), and what that takes."""
MILLION_MIB = 300
TWO_STAGES_MIB = 25
"""What a second stage of 100,000 may add: its states, and where its results stand; those of the first stage go."""


def peak_mib(folder: Path, width: int) -> int:
    return int(told_by(SCRIPT, folder, width))


def peak_of_a_wide_map_mib(folder: Path, width: int, *, stages: int) -> int:
    counted, peak = told_by(WIDE_MAP, folder, width, stages).split()
    assert int(counted) == width
    return int(peak)


def told_by(script: Path, folder: Path, *numbers: int) -> str:
    command = [sys.executable, str(script), str(folder), *map(str, numbers)]
    done = subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_memory_of_a_run_does_not_grow_with_its_large_outputs(tmp_path: Path) -> None:
    few = peak_mib(tmp_path / "few", 2)
    many = peak_mib(tmp_path / "many", 200)

    assert many - few < GROWTH_MIB, f"{few} MiB for 2 outputs, {many} MiB for 200"
    assert not list((tmp_path / "many").glob("runs/*.values/*")), "every one was released with its reader"


@pytest.mark.slow
def test_a_map_of_a_million_takes_less_than_300_mib(tmp_path: Path, scale: int) -> None:
    """Minutes (eight on two busy cores), and 160 MiB of disk, for each million."""
    assert peak_of_a_wide_map_mib(tmp_path / "wide", 1_000_000 * scale, stages=1) < MILLION_MIB * scale


@pytest.mark.slow
def test_a_second_stage_of_a_hundred_thousand_takes_little_more_than_one(tmp_path: Path) -> None:
    one = peak_of_a_wide_map_mib(tmp_path / "one", 100_000, stages=1)
    two = peak_of_a_wide_map_mib(tmp_path / "two", 100_000, stages=2)

    assert two - one < TWO_STAGES_MIB, f"{one} MiB for one stage, {two} MiB for two"
