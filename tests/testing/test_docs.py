"""docs/testing.md: its blocks run as one file of tests, its types are right, and its output is what comes out."""

from __future__ import annotations

import importlib.util
import inspect
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import anyio
import pytest

from actorflow import testing
from actorflow.testing import virtual_backend

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "testing.md").read_text()
CODE = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
LOG = re.findall(r"```text\n(0\.000000.*?)```", PAGE, re.DOTALL)
NOTE = re.findall(r"```text\n(seed .*?)\n```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("docs") / "test_page.py"
    path.write_text(CODE)
    return path


def load(page: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("page_of_testing", page)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # handlers look up their module's names
    spec.loader.exec_module(module)
    return module


def test_each_test_of_the_page_passes_and_prints_what_is_shown(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tests = {name: test for name, test in vars(load(page)).items() if name.startswith("test_")}

    for test in tests.values():
        if inspect.iscoroutinefunction(test):
            for name, options in map(virtual_backend, ("asyncio", "trio")):
                anyio.run(test, backend=name, backend_options=options)
        else:
            test()

    assert len(tests) == CODE.count("def test_") == 6
    assert capsys.readouterr().out.strip() == LOG[0].strip()


@pytest.mark.slow
def test_the_blocks_of_the_page_are_typed_right(page: Path) -> None:
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(page.parent / "cache"), str(page)]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_the_note_that_is_shown_is_the_one_that_is_given() -> None:
    async def fail() -> None:
        raise LookupError

    with pytest.raises(LookupError) as caught:
        testing.run_virtual(fail, backend="trio", seed=3228877604)

    assert caught.value.__notes__ == NOTE


def test_every_public_part_of_the_kit_is_on_the_page() -> None:
    parts = {name for name in vars(testing.TestKit) if not name.startswith("_")}
    parts |= {name for name in vars(testing.Probe) if not name.startswith("_")}

    assert {name for name in parts if not re.search(rf"\.{name}\b", PAGE)} == set()
