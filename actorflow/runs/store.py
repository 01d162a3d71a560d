"""The run store: where runs are kept, found again by name, and listed. In a directory, or in memory.

| path | holds |
|---|---|
| .gitignore | `*` |
| format | the number of this layout |
| runs/RUN_ID.sqlite | the journal of one run; beside it, while a process owns it, `.lock`, `.sock` and its WAL |
| runs/RUN_ID.anchor | how long the journal is, told apart from it |
| runs/RUN_ID.values/ | the run's largest values, a file each |
| runs/RUN_ID.log.jsonl | what its tasks printed, where they did |
| runs/RUN_ID.damaged-N/ | what a salvage set aside |
| catalog.sqlite | a line for each run; rebuilt when lost or stale |

Directories are made with mode 0700, files with 0600. What is raised: actorflow/runs/store_errors.py.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Protocol

from actorflow.runs.catalog import SUFFIX, Catalog
from actorflow.runs.event_rows import Row
from actorflow.runs.file_system import require_safe
from actorflow.runs.journal import Journal
from actorflow.runs.journal_file import JournalFile
from actorflow.runs.journal_reader import JournalReader
from actorflow.runs.large_values import LargeValues, ValueOptions
from actorflow.runs.memory_log import MemoryLog
from actorflow.runs.output_file import OutputFile, OutputMemory, OutputReader, OutputSink, output_path
from actorflow.runs.run_ids import RUN_ID, check_run_id
from actorflow.runs.run_ids import new_run_id as new_run_id
from actorflow.runs.run_log import RunLog
from actorflow.runs.run_query import RunPage, RunQuery, page_of
from actorflow.runs.states import RunStatus
from actorflow.runs.store_errors import (
    AmbiguousRun,
    ForeignStore,
    NewerStore,
    RunInUse,
    RunNotFound,
    StoreError,
    StoreUnwritable,
    unwritable,
)
from actorflow.runs.stored_run import StoredRun
from actorflow.runs.stored_summary import as_seen, closed_summary, is_owned, summary_of
from actorflow.runs.tally import RunSummary, tally_of

STORE_VARIABLE: Final = "ACTORFLOW_STORE"
DEFAULT_FOLDER: Final = ".actorflow"
LAYOUT: Final = 1
LAST: Final = "@last"

MakeJournal = Callable[[RunLog], Journal]


class RunStore(Protocol):
    """Where runs are kept. `name` of a run: its id, the beginning of one that no other id has, or `@last`."""

    def create_run(self, run_id: str | None = None) -> Journal:
        """A new, empty run, owned by this process until its journal is closed.

        Raises ValueError for an id that cannot be one, StoreError for one that exists and for an unwritable store.
        """
        ...

    def reopen_run(self, name: str) -> Journal:
        """A run to write on; raises RunInUse while a process owns it, RunNotFound, AmbiguousRun, JournalDamaged."""
        ...

    def open_run(self, name: str) -> StoredRun:
        """A run to read, its owner alive or not; raises RunNotFound, AmbiguousRun."""
        ...

    def open_output(self, run_id: str) -> OutputSink:
        """Where the output of a run's tasks is to be kept, for its owner."""
        ...

    def runs(self) -> list[RunSummary]:
        """All of them, newest first."""
        ...

    def find_runs(self, query: RunQuery) -> RunPage:
        """A page of those that a query asks for."""
        ...


class SqliteStore:
    """A RunStore in a directory. Nothing is made before the first run; what is read is never changed.

    root: None means ACTORFLOW_STORE, else `.actorflow` in the current folder. make_journal: other bounds than usual.
    values: from which sizes on they stand outside of their rows, and whether they stay after their last reader.
    """

    def __init__(
        self,
        root: str | Path | None = None,
        *,
        make_journal: MakeJournal = Journal,
        values: ValueOptions | None = None,
    ) -> None:
        self.root = Path(root or os.environ.get(STORE_VARIABLE) or DEFAULT_FOLDER)
        self._make_journal = make_journal
        self._values = values or ValueOptions()
        self.folder = self.root / "runs"
        self.catalog = Catalog(self.root / "catalog.sqlite", self.folder, self._summary_of)

    def prepare(self) -> None:
        """Make the directory ready for runs; raises StoreUnwritable, UnsafeStore, ForeignStore, NewerStore."""
        try:
            require_safe(self.root)
            self._make_layout()
        except OSError as exc:
            raise unwritable(self.root, exc) from exc
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise unwritable(self.folder, PermissionError("permission denied"))

    def create_run(self, run_id: str | None = None) -> Journal:
        run_id = check_run_id(new_run_id() if run_id is None else run_id)
        self.prepare()
        path = self.journal_path(run_id)
        try:
            return self._make_journal(JournalFile.create(path, run_id, options=self._values, tell=self._note))
        except FileExistsError as exc:
            raise StoreUnwritable(path, "a run of this id exists", "give the new run another id") from exc

    def reopen_run(self, name: str) -> Journal:
        path = self.journal_path(self._resolve(name))
        self.prepare()
        return self._make_journal(JournalFile.reopen(path, options=self._values, tell=self._note))

    def open_run(self, name: str) -> StoredRun:
        run_id = self._resolve(name)
        path = self.journal_path(run_id)
        return StoredRun(
            run_id=run_id,
            path=path,
            rows=lambda after: _rows_of(path, after),
            is_owned=lambda: is_owned(path),
            output=OutputReader(output_path(path)).lines,
            values=LargeValues(path),
        )

    def open_output(self, run_id: str) -> OutputFile:
        return OutputFile(output_path(self.journal_path(run_id)))

    def runs(self) -> list[RunSummary]:
        return self.find_runs(RunQuery()).runs

    def find_runs(self, query: RunQuery) -> RunPage:
        self._check_layout()
        return self.catalog.page(query) if self.folder.is_dir() else RunPage([], 0)

    def summary(self, run_id: str) -> RunSummary:
        """How far the run of that very id is."""
        return self._summary_of(run_id)[0]

    def journal_path(self, run_id: str) -> Path:
        """Where the journal of a run of that id is, or would be."""
        return self.folder / f"{run_id}{SUFFIX}"

    def journals(self) -> list[Path]:
        """The journals there are, oldest first."""
        self._check_layout()
        return sorted(self.folder.glob(f"*{SUFFIX}"))

    def _note(self, summary: RunSummary, is_closed: bool) -> None:
        self.catalog.note(as_seen(summary, owned=not is_closed), lasting=is_closed)

    def _resolve(self, name: str) -> str:
        self._check_layout()
        if RUN_ID.fullmatch(name) and self.journal_path(name).exists():
            return name
        if name == LAST:
            return resolve(name, self.catalog.run_ids(newest=1) if self.folder.is_dir() else [], self.root)
        found = self.catalog.run_ids(name) if name and self.folder.is_dir() else []
        if not found and self.folder.is_dir():
            found = self.catalog.run_ids(newest=1)  # whether there is any run at all, for the words of the refusal
        return resolve(name, found, self.root)

    def _make_layout(self) -> None:
        self._check_layout()
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (self.root / "format").exists():
            self.root.chmod(0o700)
            _write_new(self.root / ".gitignore", "*\n")
            _write_new(self.root / "format", f"{LAYOUT}\n")
        self.folder.mkdir(mode=0o700, exist_ok=True)

    def _check_layout(self) -> None:
        """Raises ForeignStore for a directory that holds something else, NewerStore for a later layout."""
        try:
            text = (self.root / "format").read_text().strip()
        except FileNotFoundError:
            others = self.root.is_dir() and {path.name for path in self.root.iterdir()} - {".gitignore"}
            if others:
                help = "choose an empty or new directory with --store or ACTORFLOW_STORE"
                raise ForeignStore(self.root, "holds something else than runs", help) from None
            return
        except OSError as exc:
            raise unwritable(self.root, exc) from exc
        if not text.isdigit():
            raise ForeignStore(self.root, "its file `format` holds no number", "choose another directory with --store")
        if int(text) > LAYOUT:
            problem = f"written in layout {text}, this actorflow knows up to {LAYOUT}"
            raise NewerStore(self.root, problem, "use the actorflow that wrote it, or a newer one")

    def _summary_of(self, run_id: str) -> tuple[RunSummary, bool]:
        path = self.journal_path(run_id)
        closed = closed_summary(path)
        if closed is not None:
            return as_seen(closed, owned=False), True
        try:
            owned = is_owned(path)
            summary = summary_of(path)
        except StoreError as exc:
            return RunSummary(run_id=run_id, status=RunStatus.interrupted, problem=exc.problem), False
        return as_seen(summary, owned=owned), not owned


class MemoryStore:
    """A RunStore that ends with the process; what the tests of everything above it run on."""

    def __init__(self, *, make_journal: MakeJournal = Journal) -> None:
        self._logs: dict[str, MemoryLog] = {}
        self._outputs: dict[str, OutputMemory] = {}
        self._make_journal = make_journal

    def create_run(self, run_id: str | None = None) -> Journal:
        run_id = check_run_id(new_run_id() if run_id is None else run_id)
        if run_id in self._logs:
            raise StoreUnwritable(f"memory:{run_id}", "a run of this id exists", "give the new run another id")
        log = self._logs[run_id] = MemoryLog(run_id)
        return self._make_journal(log)

    def reopen_run(self, name: str) -> Journal:
        log = self._log(name)
        if log.owned:
            raise RunInUse(log.path, os.getpid())
        log.owned = True
        return self._make_journal(log)

    def open_run(self, name: str) -> StoredRun:
        log = self._log(name)
        output = self.open_output(log.run_id)
        return StoredRun(
            run_id=log.run_id,
            path=log.path,
            rows=log.rows_after,
            is_owned=lambda: log.owned,
            output=lambda: iter(output.lines()),
        )

    def open_output(self, run_id: str) -> OutputMemory:
        return self._outputs.setdefault(run_id, OutputMemory())

    def runs(self) -> list[RunSummary]:
        return self.find_runs(RunQuery()).runs

    def find_runs(self, query: RunQuery) -> RunPage:
        logs = self._logs.values()
        runs = [as_seen(tally_of(log.run_id, log.rows()).summary(), owned=log.owned) for log in logs]
        return page_of(query, runs)

    def _log(self, name: str) -> MemoryLog:
        return self._logs[resolve(name, list(self._logs), "memory")]


def resolve(name: str, run_ids: list[str], place: Path | str) -> str:
    """The id that `name` stands for among `run_ids`, oldest first; raises RunNotFound, AmbiguousRun."""
    if name == LAST and run_ids:
        return run_ids[-1]
    if name in run_ids:
        return name
    found = [run_id for run_id in run_ids if name and run_id.startswith(name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise AmbiguousRun(place, name, found)
    if not run_ids:
        raise RunNotFound(place, "there is no run here", "run something first, or name the store with --store")
    raise RunNotFound(place, f"there is no run {name!r}", "`actorflow runs` lists those there are")


def _rows_of(path: Path, after: int) -> Iterator[Row]:
    with JournalReader(path) as reader:
        yield from reader.rows(after)


def _write_new(path: Path, text: str) -> None:
    """A file of ours, 0600 from the start; one that is there already stays as it is."""
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
