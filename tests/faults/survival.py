"""Kills writers, cuts the power and flips bits, so many times as told, and prints what was lost, from counters.

    python -m tests.faults.survival [--kills 200] [--cuts 500] [--flips 200] [--seed 1]

    200 kills, 500 power cuts, 200 bit flips; 0 acknowledged results lost, 0 flips unnoticed

Exit code 1 if anything was. A kill is SIGKILL of a process in the middle of committing, at a random moment; a power cut
is one of the disks that could be left of a logged run (tests/faults/disk_model.py); a flip is one bit of one file of a
finished run, which `check_run` has to notice.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from actorflow.runs.journal_file import JournalFile
from actorflow.runs.run_check import check_run
from actorflow.runs.store_errors import StoreError
from actorflow.runs.stored_summary import is_owned
from tests.faults.logged_disk import logged
from tests.faults.test_journal_crash import OPTIONS, SUMMARY, images_that_lost, row_of, rows_in, write_run


def kill_writers(count: int, folder: Path, rng: random.Random) -> int:
    """How many acknowledged results were lost over so many kills."""
    lost = 0
    for number in range(count):
        path = folder / f"{number}" / "r1.sqlite"
        path.parent.mkdir()
        acknowledged = _killed_after(path, rng.randrange(1, 60), rng.randrange(1 << 30))
        try:
            found = rows_in(path) if acknowledged or path.exists() else 0
            JournalFile.reopen(path, options=OPTIONS).close(SUMMARY) if found else None
        except StoreError:
            found = 0
        lost += max(acknowledged - found, 0)
        shutil.rmtree(path.parent)
    return lost


def _killed_after(path: Path, rows: int, seed: int) -> int:
    """Start a writer, kill it once it has acknowledged about so many rows; the last that it acknowledged."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _write_until_killed(path, writing, random.Random(seed))
    os.close(writing)
    told = b""
    while told.count(b"\n") < rows // 3 + 1 and (more := os.read(reading, 4096)):
        told += more
    os.kill(pid, signal.SIGKILL)
    while more := os.read(reading, 4096):
        told += more
    os.close(reading)
    os.waitpid(pid, 0)
    whole = told[: told.rfind(b"\n") + 1].split()
    return int(whole[-1]) if whole else 0


def _write_until_killed(path: Path, told: int, rng: random.Random) -> None:
    try:
        journal = JournalFile.create(path, "r1", options=OPTIONS)
        last = 0
        while True:
            count = rng.randrange(1, 6)
            journal.write([row_of(seq) for seq in range(last + 1, last + count + 1)])
            last += count
            os.write(told, f"{last}\n".encode())
            if rng.random() < 0.2:
                journal.anchor(SUMMARY)
    finally:
        os._exit(1)


def cut_power(count: int, folder: Path) -> int:
    """How many of so many disks had lost an acknowledged result."""
    disk = folder / "disk"
    disk.mkdir()
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        logging = logged(disk, patch)
        log = next(logging)
        stack.callback(next, logging, None)
        acknowledged: list[tuple[int, int]] = []
        write_run(disk / "r1.sqlite", log, acknowledged)
    _, lost = images_that_lost(log, acknowledged, folder / "image", count)
    return len(lost)


def flip_bits(count: int, folder: Path, rng: random.Random) -> int:
    """How many of so many flipped bits went unnoticed."""
    run = folder / "run"
    run.mkdir()
    journal = JournalFile.create(run / "r1.sqlite", "r1", options=OPTIONS)
    journal.write([row_of(seq) for seq in range(1, 41)])
    journal.close(SUMMARY)
    files = sorted(path for path in run.rglob("*") if path.is_file())
    unnoticed = 0
    for _ in range(count):
        path = rng.choice(files)
        content = path.read_bytes()
        changed = bytearray(content)
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        path.write_bytes(changed)
        unnoticed += check_run(run / "r1.sqlite", partial(is_owned, run / "r1.sqlite")).is_sound
        path.write_bytes(content)
    return unnoticed


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, count in (("kills", 200), ("cuts", 500), ("flips", 200), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=count)
    chosen = parser.parse_args(arguments)
    rng = random.Random(chosen.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "kills").mkdir()
        lost = kill_writers(chosen.kills, folder / "kills", rng) + cut_power(chosen.cuts, folder)
        unnoticed = flip_bits(chosen.flips, folder, rng)
    print(
        f"{chosen.kills} kills, {chosen.cuts} power cuts, {chosen.flips} bit flips; "
        f"{lost} acknowledged results lost, {unnoticed} flips unnoticed"
    )
    return 1 if lost or unnoticed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
