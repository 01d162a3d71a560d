"""What prints while a live region holds the terminal is handed on line by line, children included."""

from __future__ import annotations

import os
import subprocess
import sys

from actorflow.cli.capture import MAX_LINE_BYTES, captured_output


def test_python_and_child_processes_are_caught_on_both_descriptors(capfd: object) -> None:
    lines: list[str] = []
    with captured_output(lines.append):
        os.write(1, b"to stdout\n")
        os.write(2, b"to stderr\n")
        subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
        os.write(1, b"no newline at the end")

    assert lines == ["to stdout", "to stderr", "from a child", "no newline at the end"]


def test_the_descriptors_are_put_back(capfd: object) -> None:
    before = os.fstat(1).st_ino, os.fstat(2).st_ino
    with captured_output(lambda text: None):
        assert (os.fstat(1).st_ino, os.fstat(2).st_ino) != before

    assert (os.fstat(1).st_ino, os.fstat(2).st_ino) == before


def test_a_line_without_end_is_handed_on_in_parts(capfd: object) -> None:
    lines: list[str] = []
    with captured_output(lines.append):
        os.write(1, b"x" * (3 * MAX_LINE_BYTES))

    assert "".join(lines) == "x" * (3 * MAX_LINE_BYTES)
    assert len(lines) > 1


def test_bytes_that_are_no_text_are_spelled_out(capfd: object) -> None:
    lines: list[str] = []
    with captured_output(lines.append):
        os.write(1, b"\xff\xfe ok\r\n")

    assert lines == [r"\xff\xfe ok"]
