"""`actorflow plan`: what `run` would do with the same arguments, and nothing done."""

from __future__ import annotations

import click

from actorflow.cli.options import (
    GivenLimits,
    Selection,
    executor_option,
    json_option,
    limit_options,
    own_arguments,
    param_option,
    profile_option,
    recycle_option,
    selection_options,
    target_argument,
)
from actorflow.cli.streams import claimed_stdout


@click.command("plan")
@target_argument
@own_arguments
@param_option
@executor_option
@selection_options
@limit_options
@recycle_option
@profile_option
@json_option("The plan as one JSON object.")
def command(
    *,
    target: str,
    own: tuple[str, ...],
    pairs: tuple[str, ...],
    executor: str | None,
    selection: Selection,
    limits: GivenLimits,
    recycle: tuple[str, ...],
    profile: str | None,
    as_json: bool,
) -> None:
    """Show what `run` would do: parameters with their sources, steps in order, where each one runs.

    \b
    Examples:
      actorflow plan etl.py -p day=2026-11-20
      actorflow plan etl.py --executor inline -- --top 5
    """
    from actorflow.cli.json_text import answer
    from actorflow.cli.settings import settings
    from actorflow.cli.target import load_and_plan
    from actorflow.flows.describe import plan_to_json
    from actorflow.flows.render import plan_text

    with claimed_stdout() as result:
        chosen = settings(executor=executor, limits=limits, recycle=recycle, selection=selection, profile=profile)
        loaded = load_and_plan(target, own, pairs, chosen, command="actorflow plan")
        if as_json:
            result.write_line(answer(**plan_to_json(loaded.plan)))
        else:
            result.write_line(plan_text(loaded.plan))
