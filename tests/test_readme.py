"""README.md: every file in it runs, and the output it shows is what comes out."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
FILES = dict(re.findall(r"<!-- file: (\S+) -->\n```python\n(.*?)```", README, re.DOTALL))
RUNS = dict(re.findall(r"<!-- run: actorflow (.*?) -->\n```console\n(.*?)```", README, re.DOTALL))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that holds nothing but lines.py, as the README's reader has it."""
    (tmp_path / "lines.py").write_text(FILES["lines.py"])
    return tmp_path


def call(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *args], cwd=folder, capture_output=True, text=True, check=False, timeout=100)


def without_times(text: str) -> list[str]:
    """Lines with times of day, durations and run ids made equal."""
    text = re.sub(r"\d\d:\d\d:\d\d", "TIME", text)
    text = re.sub(r"<?\d+(\.\d+)?(ms|s)\b", "DURATION", text)
    return re.sub(r"\d{8}-\d{6}-\w{5}", "RUN", text).splitlines()


def test_the_readme_has_its_files_and_its_run() -> None:
    assert set(FILES) == {"lines.py", "in_a_program.py", "counter.py"}
    assert set(RUNS) == {"run lines.py"}
    assert len(FILES["lines.py"].splitlines()) <= 20


def test_the_first_screen_shows_the_true_output(folder: Path) -> None:
    done = call(folder, "-m", "actorflow", *next(iter(RUNS)).split())

    shown = RUNS["run lines.py"].splitlines()
    assert done.returncode == 0, done.stderr
    assert without_times(done.stderr) == without_times("\n".join(shown[1:-1]))
    assert done.stdout.strip() == shown[-1]


def test_a_dag_runs_from_a_program(folder: Path) -> None:
    (folder / "in_a_program.py").write_text(FILES["in_a_program.py"])

    done = call(folder, "in_a_program.py")

    assert done.stdout.split()[0] == "succeeded", done.stderr
    assert int(done.stdout.split()[1]) == sum(path.read_bytes().count(b"\n") for path in folder.glob("*.py"))


def test_the_counter_counts(folder: Path) -> None:
    (folder / "counter.py").write_text(FILES["counter.py"])

    done = call(folder, "counter.py")

    assert (done.stdout, done.stderr) == ("5\n", "")


def test_every_link_of_the_readme_leads_somewhere() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", README)

    assert [target for target in targets if not (ROOT / target).exists()] == []
