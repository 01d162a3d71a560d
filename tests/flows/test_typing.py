"""Both type checkers accept right uses of tasks and dags and refuse every planted wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from actorflow.flows.dag import Dag
from tests.typing import flows_ok
from tests.typing.checkers import CHECKERS, ROOT, lines_refused, planted_and_refused

RIGHT = ROOT / "tests" / "typing" / "flows_ok.py"
WRONG = ROOT / "tests" / "typing" / "flows_wrong.py"


@pytest.mark.parametrize("checker", CHECKERS)
def test_a_type_checker_refuses_every_planted_wrong_use_and_nothing_else(checker: str, tmp_path: Path) -> None:
    planted, refused = planted_and_refused(checker, WRONG, tmp_path)

    assert len(planted) > 20
    assert refused == planted


@pytest.mark.parametrize("checker", CHECKERS)
def test_a_type_checker_accepts_every_right_use(checker: str) -> None:
    assert lines_refused(checker, RIGHT) == set()


@pytest.mark.parametrize("dag", flows_ok.DAGS, ids=[dag.name for dag in flows_ok.DAGS])
def test_what_the_type_checkers_accept_can_be_built(dag: Dag[..., object]) -> None:
    assert dag.graph.steps
