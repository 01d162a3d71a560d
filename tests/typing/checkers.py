"""Both type checkers, asked about a file of right uses and one of planted wrong ones."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MARKER = re.compile(r"  # type: ignore\[.*")
CHECKERS = {
    "mypy": ("-m", "mypy", "--no-error-summary", "--hide-error-context"),
    "pyright": ("-m", "pyright"),
}


def lines_refused(checker: str, file: Path) -> set[int]:
    """The lines of `file` that the checker has an error on."""
    command = [sys.executable, *CHECKERS[checker], str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return {int(line) for line in re.findall(rf"{re.escape(file.name)}:(\d+):.*error", done.stdout)}


def planted_and_refused(checker: str, wrong: Path, folder: Path) -> tuple[set[int], set[int]]:
    """The lines of `wrong` marked as wrong, and those that the checker refuses once the marks are gone."""
    lines = wrong.read_text().splitlines()
    planted = {number for number, line in enumerate(lines, start=1) if MARKER.search(line)}
    bare = folder / f"bare_{wrong.name}"
    bare.write_text("\n".join(MARKER.sub("", line) for line in lines) + "\n")
    return planted, lines_refused(checker, bare)
