"""Files that are whole under their name or not there at all, whatever ends the process or the power."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

FILE_MODE: Final = 0o600


def write_durably(path: Path, part: Path, chunks: Iterable[bytes | memoryview]) -> None:
    """Put the chunks into `path`, in place of what is there, by way of `part` beside it.

    The content is on disk when this returns; the name is once its folder is synced. Raises OSError, with what was there
    untouched.
    """
    try:
        _write(part, chunks)
        os.rename(part, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(part)
        raise


def sync_directory(path: Path) -> None:
    """The names in it are on disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(path: Path, chunks: Iterable[bytes | memoryview]) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, FILE_MODE)
    try:
        for chunk in chunks:
            view = memoryview(chunk)
            while view:
                view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
