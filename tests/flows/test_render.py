"""Graphs and plans as text, mermaid and dot."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from hypothesis import given

from actorflow.flows.dag import dag
from actorflow.flows.graph import Graph
from actorflow.flows.plan import BoundParam, make_plan
from actorflow.flows.render import graph_dot, graph_mermaid, graph_text, plan_text, signature
from actorflow.flows.task import task
from tests.flows.steps import graphs


@task(timeout="30s", executor="process")
async def files(root: Path) -> list[Path]:
    return [root]


@task(memory="256MiB", max_in_flight=2)
def size(path: Path, unit: int) -> int:
    return unit


@task(trigger_rule="all_done", deadline="1h", cpus=2)
def total(sizes: list[int], title: str) -> int:
    return sum(sizes)


@dag
def sizes(root: Path = Path("data"), *, title: str) -> dict[str, int]:
    """What the drawings below show."""
    each = size.map(files(root), 1024)
    first = total(each, title)
    return {"all": first, "some": total.options(after=[first])([first, 2], 'a "b"')}


def lines(text: str) -> str:
    return textwrap.dedent(text).strip("\n")


def test_a_graph_as_text_has_a_line_for_each_step() -> None:
    assert graph_text(sizes.graph) == lines(
        """
        sizes(root: Path = data, title: str)

          files    async def  root = root                                       on process, timeout 30s
          size[*]  def        path = each of files, unit = 1024                 memory 256MiB, at most 2 at once
          total    def        sizes = all of size, title = title                deadline 1h, 2 CPUs, when all_done
          total-2  def        sizes = [total, 2], title = 'a "b"', after total  deadline 1h, 2 CPUs, when all_done

          returns {'all': total, 'some': total-2}
        """
    )


def test_a_plan_as_text_has_parameters_with_sources_executors_and_notes() -> None:
    plan = make_plan(sizes.graph, {"title": BoundParam("x", "-p")}, executor="inline", cpu_ids=range(4))

    assert plan_text(plan) == lines(
        """
        sizes
          root   = data  (default)
          title  = 'x'   (-p)

          files    inline  at once      timeout 30s
          size[*]  inline  after files  memory 256MiB, at most 2 at once
          total    inline  after size   deadline 1h, 2 CPUs, when all_done
          total-2  inline  after total  deadline 1h, 2 CPUs, when all_done

        at most: 4 CPUs at once
        note: inline does not enforce: memory of size, timeout of files, deadline of total, deadline of total-2
        """
    )


def test_a_graph_as_mermaid() -> None:
    assert graph_mermaid(sizes.graph) == lines(
        """
        flowchart TD
          p0(["root"])
          p1(["title"])
          s0["files"]
          s1[["size[*]"]]
          s2["total"]
          s3["total-2"]
          s0 --> s1
          s1 --> s2
          s2 --> s3
          p0 --> s0
          p1 --> s2
        """
    )


def test_a_graph_as_dot() -> None:
    assert graph_dot(sizes.graph) == lines(
        """
        digraph "sizes" {
          rankdir=TB;
          node [shape=box];
          "param:root" [label="root" shape=ellipse];
          "param:title" [label="title" shape=ellipse];
          "files" [label="files"];
          "size" [label="size[*]" peripheries=2];
          "total" [label="total"];
          "total-2" [label="total-2"];
          "files" -> "size";
          "size" -> "total";
          "total" -> "total-2";
          "param:root" -> "files";
          "param:title" -> "total";
        }
        """
    )


def test_an_edge_that_passes_nothing_is_dotted() -> None:
    @dag
    def pipeline() -> None:
        first = total([1], "a")
        total.options(after=[first])([2], "b")

    assert "s0 -.-> s1" in graph_mermaid(pipeline.graph)
    assert '"total" -> "total-2" [style=dashed];' in graph_dot(pipeline.graph)


def test_a_long_default_is_cut() -> None:
    @dag
    def pipeline(text: str = "x" * 100) -> None:
        return None

    assert len(signature(pipeline.graph)) < 80
    assert "..." in signature(pipeline.graph)


@given(graphs())
def test_every_edge_of_every_graph_is_drawn_once(graph: Graph) -> None:
    edges = {(above, each.name) for each in graph.steps for above in each.upstream()}

    dot = re.findall(r'^  "(s\d)" -> "(s\d)"', graph_dot(graph), re.MULTILINE)
    mermaid = re.findall(r"^  (s\d) -\.?-> (s\d)$", graph_mermaid(graph), re.MULTILINE)
    text = graph_text(graph)

    assert sorted(dot) == sorted(edges)
    assert sorted(mermaid) == sorted(edges)
    assert all(re.search(rf"^  {each.name}\b", text, re.MULTILINE) for each in graph.steps)
