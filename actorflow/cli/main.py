"""The entry point: from arguments to an exit code; every way a command can end is turned into words here."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from actorflow.cli.front import answered_at_once


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with one of `ExitCode`."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    answer = answered_at_once(given)
    if answer is not None:
        sys.stdout.write(f"{answer}\n")
        _leave(0)

    from actorflow.cli.dispatch import dispatch

    _leave(dispatch(given))


def _leave(code: int) -> NoReturn:
    """Exit; a reader of stdout that has gone away is no failure of ours."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (BrokenPipeError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(code)
