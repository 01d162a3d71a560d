"""docs/limits.md: its example loads and has the limits that it shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from actorflow.flows.limits import RunLimits, caps_of
from actorflow.flows.load import imports_restored, load_dag
from actorflow.flows.memory import largest_quota_bytes

PAGE = Path(__file__).parents[2] / "docs" / "limits.md"
GIB = 1024**3


def test_the_example_of_the_page_loads_with_the_limits_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nightly.py").write_text(PAGE.read_text().partition("```python\n")[2].partition("```")[0])

    with imports_restored():
        graph = load_dag("nightly.py").graph

    (step,) = graph.steps
    caps = caps_of(graph, RunLimits(), (0, 1))
    assert (step.timeout_s, step.deadline_s, step.queue_timeout_s) == (300.0, 1800.0, 600.0)
    assert (step.memory_bytes, largest_quota_bytes(step), step.cpus) == (GIB, 2 * GIB, 2.0)
    assert (caps.timeout_s, caps.max_memory_bytes, caps.max_cpus) == (7200.0, 8 * GIB, 2.0)
