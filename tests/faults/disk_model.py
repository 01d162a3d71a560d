"""What a disk may hold after a power cut: every operation on it in order, and images of what could have reached it.

A write reaches the disk at the next sync of its file at the latest; until then each one is there, or not, or in part
(by sectors of 512 bytes), whatever came later. A name is there once its file or its folder was synced after the change;
until then as before or as after. POSIX promises no more; ext4 and XFS keep more than this.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

SECTOR_BYTES = 512


class Kind(StrEnum):
    write = "write"
    truncate = "truncate"
    sync = "sync"
    create = "create"
    delete = "delete"
    rename = "rename"
    sync_folder = "sync_folder"


class Operation(NamedTuple):
    """One change, or one promise that changes are on the disk. name: of the file. target: its new name."""

    kind: Kind
    name: str
    offset: int = 0
    data: bytes = b""
    target: str = ""


@dataclass(slots=True)
class _File:
    """synced: what is certainly on the disk. waiting: what may be."""

    synced: bytearray = field(default_factory=bytearray)
    waiting: list[Operation] = field(default_factory=list[Operation])


class DiskModel:
    """The state of a disk, operation by operation."""

    def __init__(self) -> None:
        self._files: dict[str, _File] = {}
        self._names: dict[str, list[_File | None]] = {}
        """For each name what it may stand for: the last is what the running system sees."""

    def apply(self, operation: Operation) -> None:
        """Let it happen."""
        name = operation.name
        match operation.kind:
            case Kind.create:
                if name not in self._names or self._names[name][-1] is None:
                    self._name(name, _File())
            case Kind.write | Kind.truncate:
                self._file(name).waiting.append(operation)
            case Kind.sync:
                file = self._file(name)
                for waiting in file.waiting:
                    _change(file.synced, waiting)
                file.waiting.clear()
                self._names[name] = [file]  # a new file's name goes with it, as on every journaling file system
            case Kind.delete:
                self._name(name, None)
            case Kind.rename:
                self._name(operation.target, self._file(name))
                self._name(name, None)
            case Kind.sync_folder:
                for each in self._names:
                    if os.path.dirname(each) == name:
                        self._names[each] = self._names[each][-1:]

    def image(self, rng: random.Random) -> dict[str, bytes]:
        """What the disk could hold if the power went now: content by name."""
        found: dict[str, bytes] = {}
        contents: dict[int, bytes] = {}
        for name, possible in self._names.items():
            file = rng.choice(possible)
            if file is None:
                continue
            if id(file) not in contents:
                contents[id(file)] = _content(file, rng)
            found[name] = contents[id(file)]
        return found

    def _file(self, name: str) -> _File:
        file = self._names[name][-1]
        assert file is not None, f"{name} is not there"
        return file

    def _name(self, name: str, file: _File | None) -> None:
        self._names.setdefault(name, [None]).append(file)


def _content(file: _File, rng: random.Random) -> bytes:
    """What is synced, and of what is not: all, none, or each write for itself, some of them torn."""
    content = bytearray(file.synced)
    way = rng.choice(("all", "none", "some", "some", "torn"))
    for operation in file.waiting:
        if way == "all" or (way in ("some", "torn") and rng.random() < 0.5):
            _change(content, operation)
        elif way == "torn" and operation.kind is Kind.write:
            for part in _torn(operation, rng):
                _change(content, part)
    return bytes(content)


def _torn(operation: Operation, rng: random.Random) -> Iterator[Operation]:
    for start in range(0, len(operation.data), SECTOR_BYTES):
        if rng.random() < 0.5:
            data = operation.data[start : start + SECTOR_BYTES]
            yield operation._replace(offset=operation.offset + start, data=data)


def _change(content: bytearray, operation: Operation) -> None:
    if operation.kind is Kind.truncate:
        del content[operation.offset :]
        content.extend(bytes(max(operation.offset - len(content), 0)))
        return
    end = operation.offset + len(operation.data)
    if len(content) < end:
        content.extend(bytes(end - len(content)))
    content[operation.offset : end] = operation.data
