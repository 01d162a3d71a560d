"""`actorflow validate`: everything that is wrong with a file, at once; nothing runs."""

from __future__ import annotations

import click

from actorflow.cli.options import (
    executor_option,
    json_option,
    own_arguments,
    param_option,
    profile_option,
    target_argument,
)
from actorflow.cli.streams import claimed_stdout


@click.command("validate")
@target_argument
@own_arguments
@param_option
@executor_option
@profile_option
@json_option("The verdict as one JSON object.")
def command(
    *,
    target: str,
    own: tuple[str, ...],
    pairs: tuple[str, ...],
    executor: str | None,
    profile: str | None,
    as_json: bool,
) -> None:
    """Check FILE and list all its faults, each with its place and a way to mend it.

    Parameters are checked where they are given; none is missed.

    \b
    Examples:
      actorflow validate etl.py
      actorflow validate etl.py --executor thread -p top=5
    """
    from actorflow.cli.json_text import answer
    from actorflow.cli.settings import settings
    from actorflow.cli.target import load_and_check
    from actorflow.flows.render import signature

    with claimed_stdout() as result:
        dag = load_and_check(target, own, pairs, settings(executor=executor, profile=profile))
        graph = dag.graph
        if as_json:
            names = [step.name for step in graph.steps]
            result.write_line(answer(valid=True, dag=graph.name, file=graph.location.file, steps=names, faults=[]))
        else:
            steps = "1 step" if len(graph.steps) == 1 else f"{len(graph.steps)} steps"
            result.write_line(f"ok {target}: {signature(graph)}, {steps}")
