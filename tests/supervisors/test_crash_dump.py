"""What is kept of the last lines of a process that crashed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from actorflow_supervisors.crash_dump import telling_lines

HEAD = "Fatal Python error: Segmentation fault"
OTHER = ["Thread 0x01 (most recent call first):", '  File "threading.py", line 1 in wait']
CRASHED = "Current thread 0x02 (most recent call first):"
FRAMES = [f'  File "mine.py", line {number} in call' for number in range(12)]
DUMP = [HEAD, "", *OTHER, "", CRASHED, *FRAMES, "", "Extension modules: a, b (total: 2)"]
PRINTED = [f"line {number}" for number in range(12)]


@pytest.mark.parametrize(
    ("lines", "most", "kept"),
    [
        ([], 6, []),
        (PRINTED, 6, PRINTED[-6:]),
        ([*PRINTED, HEAD, "", CRASHED, FRAMES[0]], 6, [*PRINTED[-2:], HEAD, "", CRASHED, FRAMES[0]]),
        ([*PRINTED, *DUMP], 6, [HEAD, CRASHED, *FRAMES[:3], "  ..."]),
        ([HEAD, "", CRASHED, *FRAMES], 4, [HEAD, CRASHED, FRAMES[0], "  ..."]),
        ([HEAD, "", *["no frames"] * 9], 4, [HEAD, "no frames", "  ..."]),
    ],
)
def test_a_long_dump_keeps_its_first_line_and_the_frames_that_crashed(
    lines: list[str], most: int, kept: list[str]
) -> None:
    assert telling_lines(lines, most) == kept


def test_a_real_dump_is_read() -> None:
    code = "import ctypes\ndef deep(n):\n    ctypes.string_at(0) if n == 0 else deep(n - 1)\ndeep(30)"
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", code], capture_output=True, text=True, check=False
    )

    kept = telling_lines(done.stderr.splitlines(), 8)

    assert kept[0] == HEAD
    assert kept[1].startswith("Current thread ")
    assert "in string_at" in kept[2]
    assert "in deep" in kept[3]
    assert len(kept) == 8
