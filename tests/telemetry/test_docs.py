"""docs/telemetry.md: what it names is what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from actorflow.telemetry import names
from actorflow.telemetry.actor_metrics import ACTOR_METRICS
from actorflow.telemetry.metrics import METRICS

PAGE = (Path(__file__).parents[2] / "docs" / "telemetry.md").read_text("utf-8")


def test_the_page_names_every_metric_and_no_other() -> None:
    rows = re.findall(r"^\| `([\w.]+)`(?: \(\w+\))? \| (?:histogram|counter|up-down counter) \|", PAGE, re.MULTILINE)

    assert rows == [metric.name for metric in (*METRICS, *ACTOR_METRICS)]


def test_the_page_names_every_attribute_of_a_span() -> None:
    elsewhere = {names.SCOPE, names.SUCCESS, names.CANCELLATION, names.RUN_STATE, names.COMPONENT}
    attributes = {
        value
        for name, value in vars(names).items()
        if name.isupper() and isinstance(value, str) and not value.startswith("exception.")
    }

    assert {one for one in attributes - elsewhere if f"`{one}`" not in PAGE} == set()


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
def test_its_code_runs(block: str) -> None:
    exec(compile(block.replace("logging.getLogger()", "logging.getLogger('docs')"), "telemetry.md", "exec"), {})
