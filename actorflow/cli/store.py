"""`actorflow store`: check the runs of a store, tell what it holds, remove old runs."""

from __future__ import annotations

import click

from actorflow.cli.exits import ExitCode
from actorflow.cli.options import DURATION, json_option, store_option


@click.group("store", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Check a store, tell what it holds, and remove old runs.

    \b
    Examples:
      actorflow store verify --all
      actorflow store info
      actorflow store info --json
      actorflow store prune --older-than 30d --keep 20 --dry-run
    """


@command.command("verify")
@click.argument("run", required=False, metavar="[RUN]")
@click.option("--all", "every", is_flag=True, help="Every run of the store.")
@store_option
@json_option("One JSON object with what was found of each run.")
def verify(*, run: str | None, every: bool, store: str | None, as_json: bool) -> int:
    """Check that RUN, or with --all every run, is as it was written.

    Read are every row, every large value, the anchor and the whole file. Exit code 1 if anything is not as it was.

    \b
    Examples:
      actorflow store verify @last
      actorflow store verify --all --json
    """
    from actorflow.cli.complaint import refusal
    from actorflow.cli.json_text import answer
    from actorflow.cli.store_pages import check_lines
    from actorflow.cli.streams import print_lines
    from actorflow.runs.store import SqliteStore
    from actorflow.runs.store_care import check_runs

    if (run is None) is not every:
        raise refusal("name one run, or --all", "actorflow store verify @last")
    checks = list(check_runs(SqliteStore(store), run))
    sound = all(check.is_sound for check in checks)
    if as_json:
        click.echo(answer(sound=sound, runs=[check.to_json() for check in checks]))
    else:
        print_lines(check_lines(checks))
    return ExitCode.succeeded if sound else ExitCode.failed


@command.command("info")
@store_option
@json_option("One JSON object.")
def info(*, store: str | None, as_json: bool) -> None:
    """Tell how many runs there are, how large they are and what the store stands on.

    \b
    Examples:
      actorflow store info
      actorflow store info --json
    """
    from actorflow.cli.json_text import answer
    from actorflow.cli.store_pages import info_lines
    from actorflow.cli.streams import print_lines
    from actorflow.runs.store import SqliteStore
    from actorflow.runs.store_care import store_info

    found = store_info(SqliteStore(store))
    if as_json:
        click.echo(answer(**found.to_json()))
    else:
        print_lines(info_lines(found))


@command.command("prune")
@store_option
@click.option("--older-than", type=DURATION, metavar="AGE", help="Only runs that ended at least so long ago: 30d, 12h.")
@click.option("--keep", type=click.IntRange(min=0), metavar="N", help="The newest N runs of each dag stay.")
@click.option(
    "--status",
    "statuses",
    type=click.Choice(["succeeded", "failed", "cancelled", "interrupted"]),
    multiple=True,
    help="Only runs that ended so; may be repeated. interrupted needs --force.",
)
@click.option("--force", is_flag=True, help="Also runs without an end whose process is gone, and damaged ones.")
@click.option("--dry-run", is_flag=True, help="Tell what would go, and remove nothing.")
@json_option("One JSON object with the runs that went.")
def prune(
    *,
    store: str | None,
    older_than: str | None,
    keep: int | None,
    statuses: tuple[str, ...],
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Remove old runs with all they have: journal, values, output. A run that goes on is never removed.

    A run goes if every option given lets it; at least one must be. Exit code 1 if one could not be removed.

    \b
    Examples:
      actorflow store prune --older-than 30d --keep 20 --dry-run
      actorflow store prune --status failed --older-than 7d
    """
    from actorflow.cli.complaint import refusal
    from actorflow.cli.json_text import answer
    from actorflow.cli.store_pages import pruned_lines
    from actorflow.cli.streams import print_lines
    from actorflow.flows.durations import seconds
    from actorflow.runs.prune import PruneRules
    from actorflow.runs.states import RunStatus
    from actorflow.runs.store import SqliteStore
    from actorflow.runs.store_care import prune as prune_store

    if older_than is None and keep is None and not statuses:
        raise refusal("say which runs may go", "--older-than 30d, --keep 20, --status failed, or several of them")
    if "interrupted" in statuses and not force:
        raise refusal("an interrupted run may still be resumed", "add --force to remove it all the same")
    rules = PruneRules(
        older_than_s=0.0 if older_than is None else seconds(older_than),
        keep=keep or 0,
        statuses=frozenset(map(RunStatus, statuses)),
        unfinished=force,
    )
    done = prune_store(SqliteStore(store), rules, dry_run=dry_run)
    if as_json:
        click.echo(answer(dry_run=dry_run, runs=[pruned.to_json() for pruned in done]))
    else:
        print_lines(pruned_lines(done, dry_run=dry_run))
    return ExitCode.failed if any(pruned.problem for pruned in done) else ExitCode.succeeded
