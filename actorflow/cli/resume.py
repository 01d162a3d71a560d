"""`actorflow resume`: let a run go on, after a pause, a failure, a cancel or the loss of its process."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

import click

from actorflow.cli.options import (
    GivenLimits,
    Telling,
    carrying_options,
    executor_option,
    grace_option,
    limit_options,
    require_backend,
    store_option,
    telling_options,
    workers_option,
)
from actorflow.cli.spans import dim, line, strong, warn
from actorflow.cli.streams import Result, claimed_stdout, notes_to_stderr

if TYPE_CHECKING:
    from actorflow.cli.requesting import Asked


@click.command("resume")
@click.argument("run")
@store_option
@click.option("--file", metavar="FILE[:DAG]", help="Where the dag is by now; else where it was.")
@click.option("--paused", is_flag=True, help="Take the run up paused; `actorflow resume` again lets it go on.")
@click.option(
    "--unattended",
    is_flag=True,
    help="For services: spend the retries that are left, leave what has ended, keep a pause.",
)
@click.option(
    "--accept-loss",
    is_flag=True,
    help="Of a damaged journal: go on from what can be trusted, run again what is lost, and keep all there was aside.",
)
@executor_option
@workers_option
@limit_options
@grace_option
@carrying_options
@telling_options("The event stream from here on, one JSON object a line; after a pause, the run and its status.")
def command(
    *,
    run: str,
    store: str | None,
    file: str | None,
    paused: bool,
    unattended: bool,
    accept_loss: bool,
    executor: str | None,
    workers: int | None,
    limits: GivenLimits,
    grace: str | None,
    trace: bool | None,
    backend: Literal["asyncio", "trio"],
    telling: Telling,
) -> int:
    """Let RUN go on: its id, a beginning of it that is unique, or @last.

    A run that is paused goes on where it is. One that failed, was cancelled or lost its process is taken up here: what
    has a result stays, everything else runs again, with the parameters that were given and the code of now.

    \b
    Examples:
      actorflow resume @last
      actorflow resume 20261121-14 --executor thread
      actorflow resume @last --file moved/etl.py
      actorflow resume @last --accept-loss
    """
    require_backend(backend)
    from actorflow.cli.requesting import Asked
    from actorflow.cli.settings import settings
    from actorflow.cli.stopping import sigterm_raises
    from actorflow.recompose.recorded import load_recorded_dag
    from actorflow.recompose.resume import Resumption, go_on

    asked = Asked(store, run, command="resume --accept-loss" if accept_loss else "resume")
    if accept_loss:
        _accept_loss(asked)
    if asked.stored.is_owned():
        return _after_a_pause(asked, as_json=telling.as_json)
    with claimed_stdout() as result:
        if _has_succeeded(asked):
            return _tell_success(asked, result, as_json=telling.as_json)
        with sigterm_raises():
            chosen = settings(executor=executor, workers=workers, store=store, trace=trace, limits=limits, grace=grace)
            dag = load_recorded_dag(asked.stored, file)
        how = Resumption(reason=asked.reason, unattended=unattended, paused=paused, limits=chosen.limits)

        from actorflow.cli.follow import Followed, follow
        from actorflow.cli.target import target_of

        followed = Followed(
            begin=partial(go_on, asked.run_id, dag, how),
            settings=chosen,
            target=file or target_of(dag),
            store_named=store,
            backend=backend,
            telling=telling,
        )
        return follow(followed, result)


def _accept_loss(asked: Asked) -> None:
    """Make a damaged journal sound again, and say what that costs. Raises RunInUse, JournalDamaged, JournalFailed."""
    from actorflow.runs.salvage import loss_words, salvage

    loss = salvage(asked.stored.path)
    notes = notes_to_stderr()
    if loss is None:
        notes.say(line(dim("nothing is damaged")))
    else:
        damaged, *others = loss_words(loss)
        notes.insist([line(warn("run "), strong(asked.run_id), f" {damaged}"), *[line(f"  {text}") for text in others]])


def _after_a_pause(asked: Asked, *, as_json: bool) -> int:
    """Its owner lives: ask that to go on."""
    from actorflow.cli.exits import ExitCode
    from actorflow.cli.requesting import tell_status
    from actorflow.runs.states import RunStatus

    status = asked.ask("resume")
    tell_status(asked.run_id, status, as_json=as_json)
    return ExitCode.succeeded if status is RunStatus.running else ExitCode.failed


def _has_succeeded(asked: Asked) -> bool:
    """Told from the anchor alone; one whose owner was killed right after its end is found out later."""
    from actorflow.runs.states import RunStatus
    from actorflow.runs.stored_summary import closed_summary

    summary = closed_summary(asked.stored.path)
    return summary is not None and summary.status is RunStatus.succeeded


def _tell_success(asked: Asked, result: Result, *, as_json: bool) -> int:
    from actorflow.cli.exits import ExitCode
    from actorflow.cli.json_text import answer, pretty
    from actorflow.runs.plain_json import plain_value

    history = asked.stored.history()
    if as_json:
        result.write_line(answer(run_id=asked.run_id, status=history.status.value))
        return ExitCode.succeeded
    notes_to_stderr().insist([line("run ", strong(asked.run_id), " has succeeded already; nothing runs")])
    if history.result is not None:
        result.write_line(pretty(plain_value(history.result)))
    return ExitCode.succeeded
