"""`actorflow timeline`: when what of a run waited and ran, as bars."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

import click

from actorflow.cli.options import json_option, store_option

WIDTH_ELSEWHERE = 100


@click.command("timeline")
@click.argument("run")
@store_option
@click.option("--all", "all_instances", is_flag=True, help="Every instance of a map on a line of its own.")
@click.option("--ascii", "only_ascii", is_flag=True, help="Draw with letters, where blocks cannot be shown.")
@click.option(
    "-o",
    "--output",
    metavar="svg|FILE.svg",
    help="An SVG instead of text: `svg` prints it, a name that ends so writes that file.",
)
@json_option("The lanes, their bars and the critical path as one JSON object.")
def command(
    *, run: str, store: str | None, all_instances: bool, only_ascii: bool, output: str | None, as_json: bool
) -> None:
    """Draw RUN over time: its id, a beginning of it that is unique, or @last.

    Waiting is hatched, running is solid; the critical path, what held the end of the run up, is marked.

    \b
    Examples:
      actorflow timeline @last
      actorflow timeline 20261121-14 --all
      actorflow timeline @last -o run.svg
    """
    from actorflow.cli.complaint import refusal
    from actorflow.cli.json_text import answer
    from actorflow.cli.streams import print_lines
    from actorflow.cli.timeline_json import timeline_json
    from actorflow.cli.timeline_model import timeline
    from actorflow.cli.timeline_svg import timeline_svg
    from actorflow.cli.timeline_text import ASCII, glyphs_for, timeline_lines
    from actorflow.runs.store import SqliteStore

    if output is not None and output != "svg" and not output.endswith(".svg"):
        raise click.UsageError(f"-o takes `svg` or a file that ends in .svg, not `{output}`")
    stored = SqliteStore(store).open_run(run)
    owned = stored.is_owned()  # first: an owner that ends after this has written what it had to say
    shown = timeline(stored.run_id, stored.records(), owned=owned, now_s=time.time(), all_instances=all_instances)
    if as_json:
        click.echo(answer(**timeline_json(shown)))
    elif output == "svg":
        sys.stdout.write(timeline_svg(shown))
    elif output is not None:
        try:
            Path(output).write_text(timeline_svg(shown), encoding="utf-8")
        except OSError as error:
            raise refusal(f"{output}: cannot be written: {error.strerror}", "give -o another file") from error
    else:
        glyphs = ASCII if only_ascii else glyphs_for(sys.stdout.encoding)
        width = shutil.get_terminal_size((WIDTH_ELSEWHERE, 0)).columns
        print_lines(timeline_lines(shown, width=width, glyphs=glyphs))
