"""Requests to a run that goes on: finding it, asking its owner, waiting for its end, and what cannot be asked."""

from __future__ import annotations

import os
from pathlib import Path

import anyio
import click

from actorflow.cli.complaint import Complaint, Remark
from actorflow.cli.exits import ExitCode
from actorflow.cli.json_text import answer
from actorflow.cli.spans import line, strong
from actorflow.cli.streams import print_lines
from actorflow.runs.control_client import RunUnreachable, call_run
from actorflow.runs.control_socket import socket_path
from actorflow.runs.states import TERMINAL_RUN_STATUSES, RunStatus
from actorflow.runs.store import SqliteStore
from actorflow.runs.stored_run import StoredRun


class Asked:
    """A run of a store, to be asked. command: what the person typed, told to the run as the reason."""

    def __init__(self, store: str | None, name: str, *, command: str) -> None:
        self.stored: StoredRun = SqliteStore(store).open_run(name)
        self.reason = f"`actorflow {command}` (process {os.getpid()})"

    @property
    def run_id(self) -> str:
        return self.stored.run_id

    @property
    def socket(self) -> Path:
        return socket_path(self.stored.path)

    def status(self) -> RunStatus:
        """What became of it so far; raises JournalDamaged."""
        return self.stored.history().status

    def ask(self, question: str, *, until_end: bool = False, **given: object) -> RunStatus:
        """Its status once it has done what is asked, and with `until_end` once it is over.

        Raises Complaint: with exit code 1 where the run is over, was interrupted or ends without having answered; with
        exit code 3 where its owner does not answer.
        """
        if not self.stored.is_owned():
            raise self._over()
        try:
            answered = anyio.run(self._ask, question, {"reason": self.reason, **given}, until_end)
        except RunUnreachable as error:
            if self.stored.is_owned():
                raise self._silent(error) from error
            if not until_end:
                raise self._over() from error
            return self.status()  # it ended before it could answer
        return self.status() if until_end else RunStatus(answered["status"])

    async def _ask(self, question: str, given: dict[str, object], until_end: bool) -> dict[str, str]:
        async with call_run(self.socket) as run:
            answered: dict[str, str] = await run.ask(question, **given)
            if until_end:
                await run.closed()
            return answered

    def _over(self) -> Complaint:
        status = self.status()
        if status in TERMINAL_RUN_STATUSES:
            message = f"run {self.run_id} is over: it has {_ended(status)}"
        else:
            message = f"run {self.run_id} was interrupted: the process that ran it is gone, and nothing of it runs"
        help = f"`actorflow show {self.run_id}` tells what became of it"
        return Complaint(Remark(message=message, help=help), exit_code=ExitCode.failed)

    def _silent(self, error: RunUnreachable) -> Complaint:
        remark = Remark(message=f"run {self.run_id}: {error.problem}", help=error.help)
        return Complaint(remark, exit_code=ExitCode.unreachable)


def tell_status(run_id: str, status: RunStatus, *, as_json: bool) -> None:
    """The answer of a command that asked: on stdout, in words or as JSON."""
    if as_json:
        click.echo(answer(run_id=run_id, status=status.value))
    else:
        print_lines([line("run ", strong(run_id), f" is {status.value}")])


def _ended(status: RunStatus) -> str:
    return "been cancelled" if status is RunStatus.cancelled else status.value
