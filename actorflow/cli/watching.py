"""Watching a run that goes on: which one, its tree in plain text or JSON, or drawn anew as it changes."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import anyio
import click

from actorflow.actors.observer import PlainTree
from actorflow.actors.tree_view import Row, age, rich_table, rows_of, text_lines
from actorflow.cli.complaint import Complaint, Remark
from actorflow.cli.exits import ExitCode
from actorflow.cli.json_text import answer
from actorflow.cli.spans import dim, harmless, line, strong
from actorflow.cli.streams import print_lines, wants_color
from actorflow.runs.control_client import RunUnreachable, call_run
from actorflow.runs.control_socket import socket_path
from actorflow.runs.states import TERMINAL_RUN_STATUSES, RunStatus
from actorflow.runs.store import SqliteStore
from actorflow.runs.stored_run import StoredRun
from actorflow.runs.tally import RunSummary

GAP_S: Final = 0.25
"""At least so long between two questions, so that watching costs the run next to nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A run that somebody owned a moment ago."""

    store: SqliteStore
    stored: StoredRun
    summary: RunSummary

    @property
    def socket(self) -> Path:
        return socket_path(self.stored.path)

    def headline(self) -> tuple[str, str]:
        """The id, and what stands behind it."""
        took_s = self.summary.duration_s(time.time())
        since = "" if took_s is None else f" for {age(took_s)}"
        return self.summary.run_id, f"{self.summary.dag} running{since}, journal {self.stored.path}"


def found_run(store: SqliteStore, name: str | None) -> Watched:
    """The run of that name, or the newest that goes on. Raises Complaint with exit code 3 where none does."""
    summaries = store.runs()
    if name is None:
        going = [summary for summary in summaries if summary.status is RunStatus.running]
        if not going:
            raise unreachable(f"no run is going on in {store.root}", "`actorflow runs` lists those that were")
        name = going[0].run_id
    stored = store.open_run(name)
    (summary,) = [summary for summary in summaries if summary.run_id == stored.run_id]
    watched = Watched(store=store, stored=stored, summary=summary)
    if not stored.is_owned():
        raise ended(watched)
    return watched


def print_once(watched: Watched, *, as_json: bool) -> int:
    """Ask once and print. Raises Complaint with exit code 3 where the run cannot be asked."""
    try:
        trees = anyio.run(_ask_once, watched.socket)
    except RunUnreachable as error:
        raise complaint_of(watched, error) from error
    if as_json:
        click.echo(answer(run_id=watched.stored.run_id, actors=trees))
        return ExitCode.succeeded
    run_id, words = watched.headline()
    print_lines([line("run ", strong(run_id), dim(f"  {words}")), (), *[line(text) for text in text_lines(trees)]])
    return ExitCode.succeeded


def watch(watched: Watched) -> int:
    """Draw the tree on stdout until the run ends. Raises Complaint where it cannot be asked any more and has not."""
    try:
        anyio.run(_draw, watched)
    except RunUnreachable as error:
        if watched.stored.is_owned():
            raise complaint_of(watched, error) from error
        print_lines([line("run ", strong(watched.stored.run_id), f" has ended: {_outcome(watched)}")])
        return ExitCode.succeeded
    except KeyboardInterrupt:
        return ExitCode.interrupted
    return ExitCode.succeeded


def complaint_of(watched: Watched, error: RunUnreachable) -> Complaint:
    """Why the run could not be asked: mostly because it has ended meanwhile."""
    if not watched.stored.is_owned():
        return ended(watched)
    return unreachable(f"run {watched.stored.run_id}: {error.problem}", error.help)


def ended(watched: Watched) -> Complaint:
    run_id = watched.stored.run_id
    return unreachable(f"run {run_id} has ended: {_outcome(watched)}", f"`actorflow show {run_id}` tells more")


def unreachable(message: str, help: str) -> Complaint:
    return Complaint(Remark(message=message, help=help), exit_code=ExitCode.unreachable)


def _outcome(watched: Watched) -> str:
    """Its status; a run without an end whose owner is gone was interrupted."""
    status = watched.stored.history().status
    return status.value if status in TERMINAL_RUN_STATUSES else RunStatus.interrupted.value


async def _ask_once(path: Path) -> Any:
    async with call_run(path) as run:
        return await run.ask("actors")


async def _draw(watched: Watched) -> None:
    async with call_run(watched.socket) as run:
        with _picture() as picture:
            while True:
                asked_s = anyio.current_time()
                trees = await run.ask("actors")
                picture.show(watched.headline(), trees)
                took_s = anyio.current_time() - asked_s
                await anyio.sleep(max(GAP_S, 10 * took_s))


class _Picture:
    """What stands on the terminal; drawn again only where it differs."""

    def __init__(self, live: Any) -> None:
        self._live = live
        self._shown: tuple[tuple[str, str], list[Row]] | None = None

    def show(self, headline: tuple[str, str], trees: Sequence[PlainTree]) -> None:
        now = headline, rows_of(trees)
        if now == self._shown:
            return
        self._shown = now
        from rich.console import Group
        from rich.text import Text

        run_id, words = headline
        title = Text.assemble("run ", (run_id, "bold"), "  ", (harmless(words), "dim"), no_wrap=True, overflow="crop")
        self._live.update(Group(title, "", rich_table(trees)), refresh=True)


@contextmanager
def _picture() -> Generator[_Picture]:
    """Draws on stdout; leaves the last picture and shows the cursor again."""
    from rich.console import Console
    from rich.live import Live

    console = Console(
        file=sys.stdout,
        force_terminal=True,
        no_color=not wants_color(sys.stdout, os.environ),
        highlight=False,
        markup=False,
        emoji=False,
    )
    with Live(console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False) as live:
        yield _Picture(live)
