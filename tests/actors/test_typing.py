"""Both type checkers accept right uses of actors and refuse every planted wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.typing import actors_ok
from tests.typing.checkers import CHECKERS, ROOT, lines_refused, planted_and_refused

RIGHT = ROOT / "tests" / "typing" / "actors_ok.py"
WRONG = ROOT / "tests" / "typing" / "actors_wrong.py"


@pytest.mark.parametrize("checker", CHECKERS)
def test_a_type_checker_refuses_every_planted_wrong_use_and_nothing_else(checker: str, tmp_path: Path) -> None:
    planted, refused = planted_and_refused(checker, WRONG, tmp_path)

    assert len(planted) > 25
    assert refused == planted


@pytest.mark.parametrize("checker", CHECKERS)
def test_a_type_checker_accepts_every_right_use(checker: str) -> None:
    assert lines_refused(checker, RIGHT) == set()


@pytest.mark.anyio
async def test_what_the_type_checkers_accept_does_what_it_says() -> None:
    found = await actors_ok.right_uses()

    assert found == [11, "one 1", ("m", 1, True), 0, 6, 12, 14, 16, 20, 22, 4, 3]
