"""What a run store raises.

ActorflowError
└── StoreError            something about the store: which file, what is wrong, the way out
    ├── StoreUnwritable   the store or a file in it cannot be created or opened for writing
    ├── UnsafeStore       others could change it, or it is on a network file system
    ├── ForeignStore      the directory or file belongs to something else
    ├── NewerStore        written by a newer actorflow than this one; nothing was changed
    ├── RunInUse          another process owns the run, and a run has one writer
    ├── RunNotFound       no run of that id, prefix or name
    ├── AmbiguousRun      several runs begin with that prefix
    ├── JournalDamaged    a row is not what was written; names the first bad one
    ├── ValueReleased     a large value is kept no more, since every task that reads it has succeeded
    └── JournalFailed     rows could not be written: I/O error, read-only file
        └── StoreFull     the disk is full
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from actorflow.actors.errors import ActorflowError


class StoreError(ActorflowError):
    """Something about the store. path: the file or directory. problem: what is wrong. help: the way out."""

    def __init__(self, path: Path | str, problem: str, help: str) -> None:
        self.path = Path(path)
        self.problem = problem
        self.help = help
        super().__init__(f"{path}: {problem}; {help}")


class StoreUnwritable(StoreError):
    """The store or a file in it cannot be created or opened for writing."""


class UnsafeStore(StoreError):
    """A store there could not keep its promises: on a network file system, or open to others."""


class ForeignStore(StoreError):
    """The directory or file belongs to something else."""


class NewerStore(StoreError):
    """Written by a newer actorflow than this one; nothing was changed."""


class RunInUse(StoreError):
    """Another process owns the run. pid: of that process, None where it could not be read."""

    def __init__(self, path: Path | str, pid: int | None) -> None:
        self.pid = pid
        owner = "another process" if pid is None else f"process {pid}"
        super().__init__(
            path, f"store in use by pid {pid}", f"a run has one writer: wait until {owner} ends, or stop it"
        )


class RunNotFound(StoreError):
    """No run of that id, prefix or name."""


class AmbiguousRun(StoreError):
    """Several runs begin with that prefix. run_ids: all of them, oldest first."""

    def __init__(self, path: Path | str, prefix: str, run_ids: Sequence[str]) -> None:
        self.run_ids = tuple(run_ids)
        shown = ", ".join(self.run_ids[:5]) + (", ..." if len(self.run_ids) > 5 else "")
        problem = f"{len(self.run_ids)} runs begin with {prefix!r}: {shown}"
        super().__init__(path, problem, "give more of the id, or @last")


class JournalDamaged(StoreError):
    """A row is not what was written. seq: of the first bad one; all before it are sound.

    is_hopeless: not even a salvage (actorflow/runs/salvage.py) finds anything in it that can be trusted.
    """

    def __init__(self, path: Path | str, seq: int, problem: str, *, help: str = "") -> None:
        """help: the way out of a hopeless one."""
        self.seq = seq
        self.is_hopeless = bool(help)
        mend = "restore the file from a copy; what it says from there on cannot be trusted"
        super().__init__(path, f"damaged at row {seq}: {problem}", help or mend)


class ValueReleased(StoreError):
    """A large value is kept no more, since every task that reads it has succeeded. seq: of the row that names it."""

    def __init__(self, path: Path | str, seq: int, size_bytes: int) -> None:
        self.seq = seq
        self.size_bytes = size_bytes
        problem = f"the value of row {seq}, {size_bytes:,} bytes, was released when every task that reads it was done"
        super().__init__(path, problem, "run it again, with ValueOptions(keep_read=True) where values must stay")


class JournalFailed(StoreError):
    """Rows could not be written: I/O error, read-only file. What was acknowledged before is on disk."""

    may_pass = False
    """True if the same write may succeed later, since nothing of it can have been kept."""


class StoreFull(JournalFailed):
    """There is no room: the disk, a quota or a limit on the size of files. What was acknowledged before is on disk."""

    may_pass = True


FULL_HELP = "make room on the disk, and check the limit on the size of files (ulimit -f)"
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
NO_ROOM_IN_SQLITE = frozenset({"SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE"})
"""A limit on the size of files, and some full disks, are to SQLite any other write that failed. A sync that failed is
not among them: nobody knows then what is on disk."""


def file_error(path: Path, exc: OSError) -> JournalFailed:
    """The StoreError of an OSError met while writing a file of the store that is no database."""
    name = errno.errorcode.get(exc.errno or 0, "OSError")
    problem = f"cannot be written: {exc.strerror or exc} ({name})"
    if exc.errno in NO_ROOM:
        return StoreFull(path, problem, FULL_HELP)
    return JournalFailed(path, problem, "check the disk and the permissions of the store, then run again")


def unwritable(path: Path, exc: OSError) -> StoreUnwritable:
    """The StoreError of an OSError met while opening for writing."""
    mend = "make the directory writable for you"
    if exc.errno in NO_ROOM:
        mend = "make room on the disk"
    elif exc.errno in (errno.ENOTDIR, errno.EEXIST):
        mend = "move the file that stands in its place"
    help = f"{mend}, or choose another with --store or ACTORFLOW_STORE"
    return StoreUnwritable(path, f"cannot be written: {exc.strerror or exc}", help)


def write_error(path: Path, exc: sqlite3.Error) -> JournalFailed:
    """The StoreError of what SQLite said to a write: the file, its error and the way out."""
    name = getattr(exc, "sqlite_errorname", "SQLite error")
    problem = f"cannot be written: {exc} ({name})"
    if name in NO_ROOM_IN_SQLITE:
        return StoreFull(path, problem, FULL_HELP)
    if name.startswith("SQLITE_READONLY") or name in ("SQLITE_CANTOPEN", "SQLITE_PERM"):
        return JournalFailed(path, problem, "make the file and its directory writable for you, then run again")
    if name.startswith("SQLITE_IOERR"):
        help = "check the disk, and the limit on the size of files (ulimit -f), then run again"
        return JournalFailed(path, problem, help)
    return JournalFailed(path, problem, "check that no other program writes to the file, then run again")
