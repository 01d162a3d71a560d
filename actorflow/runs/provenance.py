"""Where a run's code came from: a digest of the user's file, and its commit. Reads files, runs nothing."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final

_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
MAX_REFS_BYTES: Final = 16 * 1024 * 1024


def code_digest(file: str) -> str:
    """SHA-256 of the file as it is now, hexadecimal; "" where it cannot be read."""
    try:
        with Path(file).open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except (OSError, ValueError):
        return ""


def revision_of(file: str) -> str:
    """The commit that is checked out where the file is; "" outside of a git repository."""
    try:
        for folder in Path(file).absolute().parents:
            found = folder / ".git"
            if found.exists():
                return _checked_out(_git_folder(found))
    except (OSError, ValueError):
        pass
    return ""


def _git_folder(found: Path) -> Path:
    """The folder itself, or the one that a worktree's or submodule's file `gitdir: ...` names."""
    if found.is_dir():
        return found
    return found.parent / found.read_text().partition("gitdir:")[2].strip()


def _checked_out(git: Path) -> str:
    head = (git / "HEAD").read_text().strip()
    name = head.removeprefix("ref: ")
    if name == head:
        return head if _COMMIT.fullmatch(head) else ""
    for folder in (git, _common(git)):
        loose = folder / name
        if loose.is_file():
            commit = loose.read_text().strip()
            return commit if _COMMIT.fullmatch(commit) else ""
    return _packed(_common(git) / "packed-refs", name)


def _common(git: Path) -> Path:
    """Where a worktree's branches are kept."""
    named = git / "commondir"
    return git / named.read_text().strip() if named.is_file() else git


def _packed(refs: Path, name: str) -> str:
    if not refs.is_file() or refs.stat().st_size > MAX_REFS_BYTES:
        return ""
    for line in refs.read_text().splitlines():
        commit, _, ref = line.partition(" ")
        if ref == name and _COMMIT.fullmatch(commit):
            return commit
    return ""
