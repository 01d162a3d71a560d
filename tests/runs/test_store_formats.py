"""Every format ever released opens: recorded journals, and what they must read as for ever.

A new format adds a file here; the files of older ones are never made anew.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, TypeGuard, cast

import pytest

from actorflow.runs.events import to_json
from actorflow.runs.journal_reader import FORMAT
from actorflow.runs.store import SqliteStore

RECORDED = Path(__file__).with_name("recorded")


@pytest.mark.parametrize("version", range(1, FORMAT + 1))
def test_a_recorded_journal_reads_as_it_always_did(version: int, tmp_path: Path) -> None:
    store = recorded(version, tmp_path)
    stored = store.open_run("recorded")

    expected = json.loads((RECORDED / f"format-{version}.json").read_text())

    events = json.loads(json.dumps([to_json(record) for record in stored.records()]))
    history = json.loads(json.dumps(stored.history().to_json()))
    assert told_then(events, expected["events"]) == expected["events"]
    assert told_then(history, expected["history"]) == expected["history"]
    assert told_then(store.runs()[0].to_json(0.0), expected["summary"]) == expected["summary"]


def is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def told_then(found: Any, then: Any) -> Any:
    """What is read now, without the fields that were not told when the journal was recorded."""
    if isinstance(then, dict):
        fields = cast("dict[str, Any]", then)
        return {name: told_then(found[name], fields[name]) for name in fields if name in found}
    if is_list(then) and len(found) == len(then):
        return [told_then(*pair) for pair in zip(found, then, strict=True)]
    return found


def recorded(version: int, folder: Path) -> SqliteStore:
    """A store with the run as it was recorded: from format 2 on with its anchor and the files of its values."""
    store = SqliteStore(folder / "store")
    store.prepare()
    if version == 1:
        shutil.copy(RECORDED / "format-1.sqlite", store.root / "runs" / "recorded.sqlite")
    else:
        shutil.copytree(RECORDED / f"format-{version}", store.root / "runs", dirs_exist_ok=True)
    return store


@pytest.mark.anyio
@pytest.mark.parametrize("version", range(1, FORMAT + 1))
async def test_a_recorded_journal_can_be_written_on(version: int, tmp_path: Path) -> None:
    store = recorded(version, tmp_path)
    before = list(store.open_run("recorded").records())

    journal = store.reopen_run("recorded")
    journal.append(before[-1].event)
    await journal.close()

    assert [record.event for record in store.open_run("recorded").records()] == [
        *(record.event for record in before),
        before[-1].event,
    ]
