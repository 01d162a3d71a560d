"""`actorflow run`: load, plan, carry out, tell."""

from __future__ import annotations

import time
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
    own_arguments,
    param_option,
    profile_option,
    recycle_option,
    require_backend,
    selection_options,
    store_option,
    target_argument,
    telling_options,
    workers_option,
)
from actorflow.cli.spans import dim, line
from actorflow.cli.streams import claimed_stdout, notes_to_stderr
from actorflow.cli.words import duration

SLOW_LOAD_S = 1.0


@click.command("run")
@target_argument
@own_arguments
@param_option
@executor_option
@selection_options
@workers_option
@limit_options
@recycle_option
@grace_option
@click.option("--run-id", metavar="ID", help="What the new run is called; else a name that begins with the time.")
@click.option("--tag", "tags", multiple=True, metavar="NAME=VALUE", help="What the run is found by; may be repeated.")
@profile_option
@store_option
@carrying_options
@telling_options("The event stream on stdout, one JSON object a line, instead of the result.")
def command(
    *,
    target: str,
    own: tuple[str, ...],
    pairs: tuple[str, ...],
    executor: str | None,
    selection: Selection,
    workers: int | None,
    limits: GivenLimits,
    recycle: tuple[str, ...],
    grace: str | None,
    run_id: str | None,
    tags: tuple[str, ...],
    profile: str | None,
    store: str | None,
    trace: bool | None,
    backend: Literal["asyncio", "trio"],
    telling: Telling,
) -> int:
    """Run the dag of FILE and print its result as JSON.

    What the dag takes as parameters is given by -p, or by options of its own after `--`.

    \b
    Examples:
      actorflow run etl.py
      actorflow run etl.py -p day=2026-11-20 --workers 4
      actorflow run etl.py --max-memory 4GiB --timeout 2h
      actorflow run etl.py:nightly --profile ci --json
      actorflow run etl.py -- --top 5
      actorflow run etl.py -- --help
    """
    notes = notes_to_stderr(silent=telling.quiet or telling.as_json)
    notes.say(line(dim(f"loading {target}")))
    require_backend(backend)

    # From here on floors below are imported, then the user's file: the slow part, and the first line is out.
    from actorflow.cli.new_run_id import require_free
    from actorflow.cli.run_filters import named_values
    from actorflow.cli.settings import settings
    from actorflow.cli.stopping import sigterm_raises
    from actorflow.cli.target import load_and_plan

    with claimed_stdout() as result:
        with sigterm_raises():
            began_s = time.monotonic()
            tagged = named_values(tags, "--tag")
            chosen = settings(
                executor=executor,
                workers=workers,
                store=store,
                trace=trace,
                limits=limits,
                recycle=recycle,
                grace=grace,
                selection=selection,
                profile=profile,
            )
            if run_id is not None:
                require_free(run_id, chosen.store)
            if chosen.trace:
                from actorflow.cli.tracing import require_tracing

                require_tracing()
            loaded = load_and_plan(target, own, pairs, chosen, command="actorflow run")
            took_s = time.monotonic() - began_s
        if took_s > SLOW_LOAD_S:
            notes.say(line(dim(f"loaded {target} in {duration(took_s)}")))

        from actorflow.cli.follow import Followed, beginning, follow
        from actorflow.compose import execute

        return follow(
            Followed(
                begin=beginning(partial(execute, loaded.plan, loaded.dag, run_id=run_id)),
                settings=chosen,
                target=target,
                store_named=store,
                backend=backend,
                telling=telling,
                tags=tagged,
            ),
            result,
        )
