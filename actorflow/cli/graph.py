"""`actorflow graph`: the dag as a picture in text, for a person, a page or a program."""

from __future__ import annotations

from typing import Literal

import click

from actorflow.cli.options import json_option, target_argument
from actorflow.cli.streams import claimed_stdout


@click.command("graph")
@target_argument
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(["text", "mermaid", "dot", "json"]),
    default="text",
    help="How to draw it; text by default.",
)
@json_option("The same as -f json.")
def command(*, target: str, form: Literal["text", "mermaid", "dot", "json"], as_json: bool) -> None:
    """Draw the dag of FILE; nothing runs.

    \b
    Examples:
      actorflow graph etl.py
      actorflow graph etl.py -f dot | dot -Tsvg > etl.svg
    """
    from actorflow.cli.json_text import answer
    from actorflow.flows.describe import graph_to_json
    from actorflow.flows.load import load_dag
    from actorflow.flows.render import graph_dot, graph_mermaid, graph_text

    with claimed_stdout() as result:
        graph = load_dag(target).graph
        match "json" if as_json else form:
            case "text":
                result.write_line(graph_text(graph))
            case "mermaid":
                result.write_line(graph_mermaid(graph))
            case "dot":
                result.write_line(graph_dot(graph))
            case _:
                result.write_line(answer(**graph_to_json(graph)))
