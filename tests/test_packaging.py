"""What a newcomer installs: the wheel holds three packages, and `actorflow` runs from a fresh environment anywhere."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = {"actorflow", "actorflow_supervisors", "actorflow_transports"}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT)]
    subprocess.run(command, check=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_installs_nothing_at_top_level_but_the_three_packages(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    top = {name.split("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == PACKAGES
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(names)
    assert any(name.endswith("entry_points.txt") for name in names)


@pytest.mark.parametrize("source", ["checkout", "wheel"])
def test_an_empty_environment_runs_the_examples_from_another_directory(
    source: str, wheel: Path, tmp_path: Path
) -> None:
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=True)
    what = str(ROOT) if source == "checkout" else str(wheel)
    subprocess.run([environment / "bin" / "python", "-m", "pip", "install", "-q", what], check=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    done = subprocess.run(
        [environment / "bin" / "actorflow", "run", ROOT / "examples" / "flaky_http.py", "--quiet"],
        cwd=elsewhere,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert '"pages": 20' in done.stdout
    assert (elsewhere / ".actorflow").is_dir()
