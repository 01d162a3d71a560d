"""Both type checkers accept right uses of actors and refuse every planted wrong one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.typing import actors_ok

ROOT = Path(__file__).parents[2]
RIGHT = ROOT / "tests" / "typing" / "actors_ok.py"
WRONG = ROOT / "tests" / "typing" / "actors_wrong.py"
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


@pytest.mark.parametrize("checker", CHECKERS)
def test_a_type_checker_refuses_every_planted_wrong_use_and_nothing_else(checker: str, tmp_path: Path) -> None:
    lines = WRONG.read_text().splitlines()
    planted = {number for number, line in enumerate(lines, start=1) if MARKER.search(line)}
    bare = tmp_path / "actors_bare.py"
    bare.write_text("\n".join(MARKER.sub("", line) for line in lines) + "\n")

    refused = lines_refused(checker, bare)

    assert len(planted) > 25
    assert refused == planted


@pytest.mark.parametrize("checker", CHECKERS)
def test_a_type_checker_accepts_every_right_use(checker: str) -> None:
    assert lines_refused(checker, RIGHT) == set()


@pytest.mark.anyio
async def test_what_the_type_checkers_accept_does_what_it_says() -> None:
    found = await actors_ok.right_uses()

    assert found == [11, "one 1", ("m", 1, True), 0, 6, 12, 14, 16, 20, 22, 4, 3]
