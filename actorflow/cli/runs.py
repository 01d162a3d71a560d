"""`actorflow runs`: the runs of a store, a page at a time."""

from __future__ import annotations

import time

import click

from actorflow.cli.options import json_option, store_option

PAGE = 50


@click.command("runs")
@store_option
@click.option("--status", "statuses", multiple=True, metavar="STATUS", help="Only in this status; may be repeated.")
@click.option("--dag", "dags", multiple=True, metavar="NAME", help="Only of this dag; may be repeated.")
@click.option("--since", metavar="TIME", help="Only begun since then: 2h ago, or a time such as 2026-11-21T14:25.")
@click.option("--until", metavar="TIME", help="Only begun before then.")
@click.option("-p", "--param", "params", multiple=True, metavar="NAME=VALUE", help="Only with this parameter.")
@click.option("--tag", "tags", multiple=True, metavar="NAME=VALUE", help="Only with this tag.")
@click.option("--text", default="", help="Only with this text in id, dag, file, parameters, tags or first failure.")
@click.option(
    "--sort",
    type=click.Choice(["started", "duration", "dag", "status"]),
    default="started",
    help="What they are ordered by, the latest, longest or last first.",
)
@click.option("--ascending", is_flag=True, help="The other way round.")
@click.option("-n", "--limit", type=click.IntRange(min=1), default=PAGE, help=f"So many on a page; {PAGE} by default.")
@click.option("--page", type=click.IntRange(min=1), default=1, help="Which page; the first is 1.")
@json_option("One JSON object with the page.")
def command(
    *,
    store: str | None,
    statuses: tuple[str, ...],
    dags: tuple[str, ...],
    since: str | None,
    until: str | None,
    params: tuple[str, ...],
    tags: tuple[str, ...],
    text: str,
    sort: str,
    ascending: bool,
    limit: int,
    page: int,
    as_json: bool,
) -> None:
    """List the runs of a store, newest first.

    \b
    Examples:
      actorflow runs
      actorflow runs --status failed --since 1d --dag nightly
      actorflow runs --tag team=data -p day=2026-11-20 --sort duration -n 10
    """
    from actorflow.cli.json_text import answer
    from actorflow.cli.run_filters import named_values, status_of
    from actorflow.cli.run_page import page_lines
    from actorflow.cli.streams import print_lines
    from actorflow.cli.time_words import moment_s
    from actorflow.runs.run_query import RunQuery, RunSort
    from actorflow.runs.store import SqliteStore

    now_s = time.time()
    query = RunQuery(
        statuses=frozenset(map(status_of, statuses)),
        dags=frozenset(dags),
        since=None if since is None else moment_s(since, now_s=now_s),
        until=None if until is None else moment_s(until, now_s=now_s, option="--until"),
        params=named_values(params, "--param"),
        tags=named_values(tags, "--tag"),
        text=text,
        sort=RunSort(sort),
        ascending=ascending,
        limit=limit,
        offset=limit * (page - 1),
    )
    found = SqliteStore(store).find_runs(query)
    if as_json:
        click.echo(answer(runs=[run.to_json(now_s) for run in found.runs], total=found.total, page=page, limit=limit))
    else:
        print_lines(page_lines(found, query, now_s=now_s))
