"""Large outputs wait for their readers on disk: the memory of a run does not grow with how many there are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("flat_memory.py")
GROWTH_MIB = 160
"""Of 400 MiB of outputs: what may wait for the disk (64 MiB), what is read again (32 MiB), and what that takes."""


def peak_mib(folder: Path, width: int) -> int:
    command = [sys.executable, str(SCRIPT), str(folder), str(width)]
    done = subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_the_memory_of_a_run_does_not_grow_with_its_large_outputs(tmp_path: Path) -> None:
    few = peak_mib(tmp_path / "few", 2)
    many = peak_mib(tmp_path / "many", 200)

    assert many - few < GROWTH_MIB, f"{few} MiB for 2 outputs, {many} MiB for 200"
    assert not list((tmp_path / "many").glob("runs/*.values/*")), "every one was released with its reader"
