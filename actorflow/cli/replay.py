"""`actorflow replay`: a new run with the parameters of a former one, or a part of it over again."""

from __future__ import annotations

from functools import partial
from typing import Literal

import click

from actorflow.cli.options import (
    GivenLimits,
    Selection,
    Telling,
    carrying_options,
    executor_option,
    grace_option,
    limit_options,
    param_option,
    require_backend,
    selection_options,
    store_option,
    telling_options,
    workers_option,
)
from actorflow.cli.streams import claimed_stdout


@click.command("replay")
@click.argument("run")
@click.option(
    "--from",
    "start",
    multiple=True,
    metavar="STEP",
    help="Run this step and all after it; take the other results over. May be repeated.",
)
@param_option
@click.option("--file", metavar="FILE[:DAG]", help="Where the dag is by now; else where it was.")
@store_option
@executor_option
@selection_options
@workers_option
@limit_options
@grace_option
@carrying_options
@telling_options("The event stream on stdout, one JSON object a line, instead of the result.")
def command(
    *,
    run: str,
    start: tuple[str, ...],
    pairs: tuple[str, ...],
    file: str | None,
    store: str | None,
    executor: str | None,
    selection: Selection,
    workers: int | None,
    limits: GivenLimits,
    grace: str | None,
    trace: bool | None,
    backend: Literal["asyncio", "trio"],
    telling: Telling,
) -> int:
    """Start a new run with the parameters of RUN: its id, a beginning of it that is unique, or @last.

    \b
    Examples:
      actorflow replay @last
      actorflow replay @last -p day=2026-11-20
      actorflow replay 20261121-14 --from report
    """
    require_backend(backend)
    from actorflow.cli.settings import bound_params, settings, split_params
    from actorflow.cli.stopping import sigterm_raises
    from actorflow.recompose.recorded import load_recorded_dag
    from actorflow.recompose.replay import Replaying, run_again
    from actorflow.runs.store import SqliteStore

    stored = SqliteStore(store).open_run(run)
    with claimed_stdout() as result:
        with sigterm_raises():
            chosen = settings(
                executor=executor,
                workers=workers,
                store=store,
                trace=trace,
                limits=limits,
                grace=grace,
                selection=selection,
            )
            dag = load_recorded_dag(stored, file)
            params = bound_params(dag.graph, pairs=split_params(pairs), own={})
        how = Replaying(
            start=start,
            params=params,
            select=selection.select,
            exclude=selection.exclude,
            fail_fast=selection.fail_fast,
            limits=chosen.limits,
        )

        from actorflow.cli.follow import Followed, beginning, follow
        from actorflow.cli.target import target_of

        followed = Followed(
            begin=beginning(partial(run_again, stored, dag, how)),
            settings=chosen,
            target=file or target_of(dag),
            store_named=store,
            backend=backend,
            telling=telling,
        )
        return follow(followed, result)
