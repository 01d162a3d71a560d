"""The sample of the README: it loads, its graph is what it says, and no task runs while it is built."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from actorflow.flows.graph import Output, Param, TaskKind
from actorflow.flows.load import imports_restored, load_dag
from actorflow.flows.plan import make_plan

SAMPLE = """
    from __future__ import annotations

    import sysconfig
    from pathlib import Path

    from pydantic import BaseModel

    from actorflow.flows.dag import dag
    from actorflow.flows.retry import Retry
    from actorflow.flows.task import task

    STDLIB = Path(sysconfig.get_paths()["stdlib"])


    class ModuleReport(BaseModel):
        path: Path


    class Summary(BaseModel):
        modules: int


    @task(
        retry=Retry(attempts=3, backoff="exponential", base="200ms", cap="10s", jitter=0.25, retry_on=[OSError]),
        timeout="30s",
    )
    async def list_modules(root: Path) -> list[Path]:
        raise AssertionError("a body ran")


    @task(memory="256MiB")
    def census(path: Path) -> ModuleReport:
        raise AssertionError("a body ran")


    @task
    def summarise(reports: list[ModuleReport], top: int) -> Summary:
        raise AssertionError("a body ran")


    @dag
    def stdlib_census(root: Path = STDLIB, top: int = 10) -> Summary:
        files = list_modules(root)
        reports = census.map(files)
        return summarise(reports, top)
"""


@pytest.fixture
def sample(tmp_path: Path) -> Iterator[Path]:
    file = tmp_path / "census_sample.py"
    file.write_text(textwrap.dedent(SAMPLE))
    with imports_restored():
        yield file


def test_the_sample_loads_to_three_steps_and_no_task_body_runs(sample: Path) -> None:
    graph = load_dag(str(sample)).graph

    assert [(step.name, step.kind, step.mapped) for step in graph.steps] == [
        ("list_modules", TaskKind.coroutine, None),
        ("census", TaskKind.sync, "path"),
        ("summarise", TaskKind.sync, None),
    ]
    assert graph.steps[2].inputs == (("reports", Output("census")), ("top", Param("top")))
    assert graph.result == Output("summarise")


def test_the_sample_is_planned_with_the_defaults_of_its_kinds_and_quotas(sample: Path) -> None:
    dag = load_dag(f"{sample}:stdlib_census")

    plan = make_plan(dag.graph, dag.bind(top=3).params, executor="thread")

    assert [planned.executor for planned in plan.steps] == ["async", "process", "thread"]
    assert [planned.depth for planned in plan.steps] == [0, 1, 2]
    assert {name: bound.source for name, bound in plan.params.items()} == {"root": "default", "top": "bind"}
    assert plan.params["top"].value == 3
