"""The entry point: from arguments to an exit code; every way a command can end is turned into words here."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from actorflow.cli.front import answered_at_once


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with one of `ExitCode`."""
    _open_what_is_closed()
    given = list(sys.argv[1:] if arguments is None else arguments)
    answer = answered_at_once(given)
    if answer is not None:
        _leave(_told(answer))

    from actorflow.cli.dispatch import dispatch

    _leave(dispatch(given))


def _open_what_is_closed() -> None:
    """A closed stdin, stdout or stderr becomes /dev/null; else the next file to be opened would take its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)
            if descriptor != number:
                os.dup2(descriptor, number)
                os.close(descriptor)
            setattr(sys, name, os.fdopen(number, "w" if number else "r"))


def _told(answer: str) -> int:
    """Print it; 1 where that cannot be done and somebody reads."""
    try:
        sys.stdout.write(f"{answer}\n")
    except OSError as error:
        return 0 if isinstance(error, BrokenPipeError) else 1
    return 0


def _leave(code: int) -> NoReturn:
    """Exit with `code`; what cannot be written any more is told by another code only where nothing else went wrong."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            code = code or (0 if isinstance(error, BrokenPipeError) else 1)
    sys.exit(code)
