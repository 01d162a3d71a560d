"""Leak audit: a test that starts processes ends with none of them, and with the descriptors it began with."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import psutil
import pytest

from actorflow_supervisors.process_tree import PROCFS


@pytest.fixture
def leak_audit(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """After the test: no child, no zombie, nothing that carries the test's mark, no descriptor more than before."""
    mark = f"ACTORFLOW_AUDIT_{uuid.uuid4().hex}"
    monkeypatch.setenv(mark, "1")
    descriptors = open_descriptors()

    yield

    assert psutil.Process().children(recursive=True) == []
    assert carriers(mark) == []
    assert open_descriptors() == descriptors


def open_descriptors() -> dict[str, str]:
    """Number and target of each open descriptor."""
    found: dict[str, str] = {}
    for name in os.listdir("/proc/self/fd") if PROCFS else []:
        try:
            found[name] = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:  # the descriptor of the listing itself
            continue
    return found


def carriers(mark: str) -> list[int]:
    """Living processes that were started with `mark` in their environment."""
    found: list[int] = []
    for process in psutil.process_iter():
        try:
            if mark in process.environ() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (psutil.Error, OSError):
            continue
    return found
