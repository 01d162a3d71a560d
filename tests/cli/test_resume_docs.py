"""The code that docs/resume.md and docs/failures.md show is run as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.cli.shell import actorflow, environment
from tests.cli.test_resume import FLOW

DOCS = Path(__file__).parents[2] / "docs"


def block_of(page: str) -> str:
    (block,) = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    return str(block)


def test_a_program_resumes_the_last_run(tmp_path: Path) -> None:
    (tmp_path / "etl.py").write_text(FLOW)
    assert actorflow("run", "etl.py", cwd=tmp_path).code == 1
    (tmp_path / "mended").touch()

    done = subprocess.run(
        [sys.executable, "-c", block_of("resume.md")],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "succeeded 6\n"


def test_an_allowed_failure_and_a_cleanup_leave_the_run_a_success(tmp_path: Path) -> None:
    (tmp_path / "nightly.py").write_text(block_of("failures.md"))

    ended = actorflow("run", "nightly.py", cwd=tmp_path)

    assert (ended.code, ended.out) == (0, "1\n")
    assert "notify FAILED" in ended.err
    assert "remove_scratch ok" in ended.err
