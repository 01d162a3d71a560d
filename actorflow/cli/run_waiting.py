"""Waiting for the end of a run that another process owns, woken by what ends with it."""

from __future__ import annotations

import sys
import time

import anyio

from actorflow.cli.exits import ExitCode
from actorflow.cli.json_text import answer
from actorflow.cli.news import owner_ended
from actorflow.cli.run_page import runs_lines
from actorflow.cli.spans import line
from actorflow.cli.streams import notes_to_stderr, print_lines
from actorflow.runs.control_client import RunUnreachable, call_run
from actorflow.runs.control_socket import socket_path
from actorflow.runs.states import RunStatus
from actorflow.runs.store import SqliteStore
from actorflow.runs.stored_run import StoredRun


def wait_for(store: SqliteStore, stored: StoredRun, *, timeout_s: float | None, as_json: bool) -> int:
    """Return the run's exit code once nobody owns it."""
    try:
        is_over = anyio.run(_until_free, stored, timeout_s)
    except KeyboardInterrupt:
        return ExitCode.interrupted
    summary = store.summary(stored.run_id)
    if as_json:
        sys.stdout.write(f"{answer(**summary.to_json(time.time()))}\n")
    else:
        print_lines(runs_lines([summary], now_s=time.time()))
    if not is_over:
        notes_to_stderr().say(line(f"run {stored.run_id} still goes on"))
        return ExitCode.unreachable
    if summary.status is RunStatus.interrupted:
        notes_to_stderr().say(line(f"run {stored.run_id} was interrupted: its process ended before it did"))
    return ExitCode.succeeded if summary.status is RunStatus.succeeded else ExitCode.failed


async def _until_free(stored: StoredRun, timeout_s: float | None) -> bool:
    """False if somebody owns it still when the time is over."""
    with anyio.move_on_after(timeout_s):
        while stored.is_owned():
            try:
                async with call_run(socket_path(stored.path)) as run:
                    await run.closed()
            except RunUnreachable:
                await owner_ended(stored)
        return True
    return not stored.is_owned()
