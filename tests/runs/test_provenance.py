"""Where a run's code came from."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from actorflow.runs.provenance import code_digest, revision_of


def git(folder: Path, *arguments: str) -> str:
    author = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    command = ["git", *author, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """With one commit of `dags/etl.py`."""
    folder = tmp_path / "repository"
    (folder / "dags").mkdir(parents=True)
    (folder / "dags" / "etl.py").write_text("x = 1\n")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def test_the_digest_is_that_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "etl.py").write_bytes(b"x = 1\n")

    assert code_digest(str(tmp_path / "etl.py")) == hashlib.sha256(b"x = 1\n").hexdigest()
    assert code_digest(str(tmp_path / "nothing.py")) == ""
    assert code_digest("<stdin>\0") == ""


def test_the_revision_is_the_commit_that_is_checked_out(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    file = str(repository / "dags" / "etl.py")

    assert revision_of(file) == commit
    git(repository, "pack-refs", "--all")
    assert revision_of(file) == commit
    git(repository, "checkout", "-q", "--detach")
    assert revision_of(file) == commit


def test_a_worktree_has_a_revision_of_its_own(repository: Path, tmp_path: Path) -> None:
    git(repository, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    git(tmp_path / "side", "commit", "-q", "--allow-empty", "-m", "second")

    found = revision_of(str(tmp_path / "side" / "dags" / "etl.py"))

    assert found == git(tmp_path / "side", "rev-parse", "HEAD")
    assert found != revision_of(str(repository / "dags" / "etl.py"))


@pytest.mark.parametrize("head", ["", "ref: refs/heads/none", "ref: ../../../etc/passwd", "no commit"])
def test_what_is_no_repository_has_no_revision(head: str, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text(head)

    assert revision_of(str(tmp_path / "etl.py")) == ""
