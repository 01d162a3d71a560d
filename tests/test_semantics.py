"""docs/semantics.md and docs/faults.md name tests that exist, and every acceptance scenario has a numbered test."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = {"docs/semantics.md": 80, "docs/faults.md": 35}
"""The pages that say what is promised, and how many rows each has at least."""

FAULTS = [*range(1, 19), *range(24, 27), *range(30, 34), 35, 38]
"""The faults of one machine."""

SCENARIOS = range(1, 26)
"""The acceptance scenarios for actors and supervisors; 15 and 21 as far as one machine goes."""


@cache
def names_in(file: Path) -> set[str]:
    """The names of the test functions of a file."""
    tree = ast.parse(file.read_text("utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {node.name for node in functions if node.name.startswith("test_")}


def named_on(page: str) -> list[str]:
    return re.findall(r"`(tests/[^`\s]+::[^`\s]+)`", (ROOT / page).read_text("utf-8"))


def scenario_of(test: str) -> int | None:
    """12 for `test_12_...` and `test_scenario_12_...`."""
    match = re.match(r"test_(?:scenario_)?(\d+)_", test)
    return None if match is None else int(match[1])


@cache
def numbered_tests() -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        for test in names_in(file):
            number = scenario_of(test)
            if number is not None:
                found.setdefault(number, set()).add(test)
    return found


@pytest.mark.parametrize("page", PAGES)
def test_the_page_names_tests_in_every_row_of_its_tables(page: str) -> None:
    rows = [line for line in (ROOT / page).read_text("utf-8").splitlines() if line.startswith("| ")]
    bare = [row for row in rows if "`tests/" not in row and not row.endswith("| shown by |")]

    assert len(rows) > PAGES[page]
    assert bare == []


@pytest.mark.parametrize(("page", "named"), sorted({(page, named) for page in PAGES for named in named_on(page)}))
def test_a_test_that_the_page_names_exists(page: str, named: str) -> None:
    path, _, test = named.partition("::")

    assert (ROOT / path).is_file(), f"{page} names {path}, which is gone"
    assert test in names_in(ROOT / path), f"{page} names {named}, which is gone"


def test_every_fault_of_one_machine_has_a_row() -> None:
    page = (ROOT / "docs" / "faults.md").read_text("utf-8")
    cells = [row.split("|")[1] for row in page.splitlines() if row.startswith("| F")]

    assert sorted(int(number) for cell in cells for number in re.findall(r"F(\d+)", cell)) == FAULTS


@pytest.mark.parametrize("number", SCENARIOS)
def test_a_scenario_has_a_test_that_bears_its_number(number: int) -> None:
    assert numbered_tests().get(number), f"no test is called test_{number}_..."


@pytest.mark.parametrize(
    ("test", "number"),
    [
        ("test_12_start_up_work", 12),
        ("test_scenario_7_a_killed_parent", 7),
        ("test_a_fourth_crash_in_5_s", None),
        ("test_12th", None),
    ],
)
def test_the_number_of_a_scenario_is_read_from_the_name(test: str, number: int | None) -> None:
    assert scenario_of(test) == number
