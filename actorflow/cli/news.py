"""News of a run that another process owns: what is read whenever the run says that there is more of it.

A question is asked at the run's control socket and answered once there is something new, so nothing is looked for by
the clock, but where the run does not answer.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

import anyio

from actorflow.cli.exits import ExitCode
from actorflow.runs.control_client import RunCaller, RunUnreachable, call_run
from actorflow.runs.control_socket import socket_path
from actorflow.runs.journal_reader import JournalReader
from actorflow.runs.store_errors import StoreError
from actorflow.runs.stored_run import StoredRun

POLL_S: Final = 0.5
"""How often a run is looked at that does not answer, and whose process goes on: no event tells of what it writes then,
nor of its end."""

Question = Callable[[RunCaller], Awaitable[None]]
"""Returns once there is something new. Raises RunUnreachable."""


def journal_question(next_seq: Callable[[], int]) -> Question:
    """Is there an event of that seq? next_seq: of the first event that was not read yet."""

    async def ask(run: RunCaller) -> None:
        await run.ask("journal", after=next_seq() - 1)

    return ask


def output_question() -> Question:
    """Have tasks printed more than when it was asked last? The first time the answer is yes."""
    written: int | None = None

    async def ask(run: RunCaller) -> None:
        nonlocal written
        written = (await run.ask("output", after=written))["written"]

    return ask


def follow_run(stored: StoredRun, read: Callable[[], None], question: Question) -> ExitCode:
    """`read` what is there and what comes, until nobody owns the run any more. Returns the exit code."""
    try:
        anyio.run(follow_news, stored, read, [question])
    except KeyboardInterrupt:
        return ExitCode.interrupted
    return ExitCode.succeeded


async def follow_news(stored: StoredRun, read: Callable[[], None], questions: Sequence[Question]) -> None:
    """Have everything read as it comes to disk, until nobody owns the run any more."""
    while True:
        owned = stored.is_owned()  # first: an owner that ends after this has written what it had to say
        read()
        if not owned:
            return
        try:
            async with anyio.create_task_group() as tasks:
                for question in questions:
                    tasks.start_soon(_ask_and_read, stored, read, question, tasks.cancel_scope)
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None  # of reading: a file that is damaged, a pipe that is closed
        await owner_ended(stored)


async def _ask_and_read(
    stored: StoredRun, read: Callable[[], None], question: Question, asking: anyio.CancelScope
) -> None:
    """Until the run does not answer any more; then nobody goes on asking."""
    with suppress(RunUnreachable):
        async with call_run(socket_path(stored.path)) as run:
            while True:
                await question(run)
                read()
    asking.cancel()


async def owner_ended(stored: StoredRun) -> None:
    """Return when its process has ended, or after a moment: it may have let go of the run and live on."""
    try:
        with JournalReader(stored.path) as reader:
            descriptor = os.pidfd_open(reader.owner.pid)
    except (StoreError, OSError):  # it is gone already, or on another machine
        await anyio.sleep(POLL_S)
        return
    try:
        with anyio.move_on_after(POLL_S):
            await anyio.wait_readable(descriptor)
    finally:
        os.close(descriptor)
