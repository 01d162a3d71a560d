"""`actorflow replay`: a new run with the parameters of a former one, or a part of it over again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import click

from actorflow.cli.options import (
    executor_option,
    fail_fast_option,
    following_options,
    grace_option,
    json_option,
    limit_options,
    param_option,
    require_backend,
    selection_options,
    store_option,
    workers_option,
)
from actorflow.cli.streams import claimed_stdout

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actorflow.cli.follow import Begin
    from actorflow.compose import RunResult, RunSettings
    from actorflow.flows.dag import Dag
    from actorflow.recompose.replay import Replaying
    from actorflow.runs.control import RunControl
    from actorflow.runs.events import Record
    from actorflow.runs.stored_run import StoredRun


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
@fail_fast_option
@workers_option
@limit_options
@grace_option
@following_options
@json_option("The event stream on stdout, one JSON object a line, instead of the result.")
def command(
    *,
    run: str,
    start: tuple[str, ...],
    pairs: tuple[str, ...],
    file: str | None,
    store: str | None,
    executor: str | None,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    fail_fast: bool | None,
    workers: int | None,
    timeout: str | None,
    max_memory: str | None,
    default_memory: str | None,
    max_cpus: float | None,
    grace: str | None,
    trace: bool | None,
    backend: Literal["asyncio", "trio"],
    progress: Literal["auto", "live", "plain", "none"],
    quiet: bool,
    full_traceback: bool,
    as_json: bool,
) -> int:
    """Start a new run with the parameters of RUN: its id, a beginning of it that is unique, or @last.

    \b
    Examples:
      actorflow replay @last
      actorflow replay @last -p day=2026-11-20
      actorflow replay 20261121-14 --from report
    """
    require_backend(backend)
    from actorflow.cli.settings import bound_params, run_limits, settings, split_params
    from actorflow.cli.stopping import sigterm_raises
    from actorflow.flows.places import shown_file
    from actorflow.recompose.recorded import load_recorded_dag
    from actorflow.recompose.replay import Replaying
    from actorflow.runs.store import SqliteStore

    stored = SqliteStore(store).open_run(run)
    with claimed_stdout() as result:
        with sigterm_raises():
            limits = run_limits(timeout, max_memory, default_memory, max_cpus)
            chosen = settings(executor=executor, workers=workers, store=store, trace=trace, grace=grace)
            dag = load_recorded_dag(stored, file)
            params = bound_params(dag.graph, pairs=split_params(pairs), own={})
        how = Replaying(start=start, params=params, select=select, exclude=exclude, fail_fast=fail_fast, limits=limits)

        from actorflow.cli.follow import Followed, follow

        followed = Followed(
            begin=_running_again(stored, dag, how),
            settings=chosen,
            target=file or f"{shown_file(dag.file)}:{dag.name}",
            store_named=store,
            backend=backend,
            progress=progress,
            quiet=quiet,
            as_json=as_json,
            full_traceback=full_traceback,
        )
        return follow(followed, result)


def _running_again(stored: StoredRun, dag: Dag[..., Any], how: Replaying) -> Begin:
    from actorflow.recompose.replay import run_again

    async def begin(
        settings: RunSettings,
        *,
        recall: Callable[[Record], None],
        on_records: Callable[[Sequence[Record]], None],
        control: RunControl,
    ) -> RunResult[Any]:
        return await run_again(stored, dag, how, settings=settings, on_records=on_records, control=control)

    return begin
