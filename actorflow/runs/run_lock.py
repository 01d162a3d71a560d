"""The lock that makes one process the only writer of a run."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from pathlib import Path
from typing import Final

from actorflow.runs.store_errors import RunInUse, unwritable

LOCK_FILE_MODE: Final = 0o600
SUFFIX: Final = ".lock"


class RunLock:
    """Held by the one process that may write a run's journal; falls with that process, however it ends.

    A lock file beside the journal, locked by the kernel. Such a lock does not hold within one process, and closing any
    descriptor of its file drops it, so this process keeps a list of what it holds, and opens no held file again.
    """

    _held: Final[set[Path]] = set()
    _guard: Final = threading.Lock()

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    @classmethod
    def take(cls, journal: Path) -> RunLock:
        """The lock of that journal file; raises RunInUse, naming the pid, or StoreUnwritable."""
        path = journal.with_suffix(SUFFIX).absolute()
        with cls._guard:
            if path in cls._held:
                raise RunInUse(journal, os.getpid())
            try:
                descriptor = _lock_file(path)
            except BlockingIOError as exc:
                raise RunInUse(journal, _pid_in(path)) from exc
            except OSError as exc:
                raise unwritable(journal, exc) from exc
            cls._held.add(path)
        return cls(path, descriptor)

    def release(self) -> None:
        """Let go, and remove the file; again does nothing."""
        with self._guard:
            if self._path not in self._held:
                return
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()
            os.close(self._descriptor)
            self._held.discard(self._path)


def _lock_file(path: Path) -> int:
    """A locked descriptor of the file that stands at `path` now; raises BlockingIOError if another process has it."""
    while True:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, LOCK_FILE_MODE)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(path, descriptor):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, str(os.getpid()).encode(), 0)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its last holder removed it while we opened it


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _pid_in(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
