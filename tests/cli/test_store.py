"""`actorflow store`, on runs that really were."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli import dags
from tests.cli.shell import actorflow, going


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two runs that succeeded."""
    found = tmp_path_factory.mktemp("stored")
    (found / "add.py").write_text(dags.ADD)
    for n in (1, 2):
        assert actorflow("run", "add.py", "-p", f"n={n}", cwd=found).code == 0
    return found


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """The same, to be spoiled."""
    return Path(shutil.copytree(made, tmp_path / "copy"))


def journals(folder: Path) -> list[Path]:
    return sorted((folder / ".actorflow" / "runs").glob("*.sqlite"))


def test_verify_says_that_all_is_as_it_was_written(folder: Path) -> None:
    done = actorflow("store", "verify", "--all", cwd=folder)

    assert done.code == 0
    assert [line.split()[0] for line in done.out.splitlines()[:2]] == ["sound", "sound"]
    assert done.out.endswith("2 runs, all sound\n")
    assert actorflow("store", "verify", "@last", "--json", cwd=folder).answer["sound"] is True


def test_verify_names_what_is_damaged_and_exits_with_one(folder: Path) -> None:
    path = journals(folder)[0]
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)

    done = actorflow("store", "verify", "--all", cwd=folder)
    found = actorflow("store", "verify", path.stem, "--json", cwd=folder)

    assert done.code == 1
    assert f"damaged {path.stem}" in done.out
    assert "the file is not as it was when the run was closed" in done.out
    assert "1 run damaged of 2" in done.out
    assert (found.code, found.answer["sound"], found.answer["runs"][0]["run_id"]) == (1, False, path.stem)


@pytest.mark.parametrize("arguments", [(), ("@last", "--all")])
def test_verify_takes_one_run_or_all(arguments: tuple[str, ...], folder: Path) -> None:
    done = actorflow("store", "verify", *arguments, cwd=folder)

    assert done.code == 2
    assert "name one run, or --all" in done.err


def test_info_tells_what_there_is(folder: Path) -> None:
    done = actorflow("store", "info", cwd=folder)
    told = actorflow("store", "info", "--json", cwd=folder).answer

    assert "2: 2 succeeded" in done.out
    assert (told["v"], told["runs"], told["by_status"], told["damaged"]) == (1, 2, {"succeeded": 2}, [])
    assert told["size_bytes"] == sum(told["sizes"].values()) > 0


def test_info_of_a_store_that_is_not_there_makes_none(tmp_path: Path) -> None:
    told = actorflow("store", "info", "--json", cwd=tmp_path).answer

    assert (told["exists"], told["runs"]) == (False, 0)
    assert list(tmp_path.iterdir()) == []


def test_prune_tells_first_and_then_removes(folder: Path) -> None:
    first, second = journals(folder)

    dry = actorflow("store", "prune", "--keep", "1", "--dry-run", cwd=folder)
    assert first.stem in dry.out
    assert "1 run would go" in dry.out
    assert len(journals(folder)) == 2
    done = actorflow("store", "prune", "--keep", "1", "--json", cwd=folder).answer

    assert [run["run_id"] for run in done["runs"]] == [first.stem]
    assert journals(folder) == [second]
    assert [path for path in first.parent.iterdir() if path.name.startswith(first.stem)] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "say which runs may go"),
        (("--status", "interrupted"), "an interrupted run may still be resumed"),
        (("--older-than", "30"), "has no unit"),
    ],
)
def test_prune_wants_to_be_told_what_may_go(arguments: tuple[str, ...], words: str, folder: Path) -> None:
    done = actorflow("store", "prune", *arguments, cwd=folder)

    assert done.code == 2
    assert words in done.err
    assert len(journals(folder)) == 2


def test_prune_never_takes_a_run_that_goes_on(tmp_path: Path) -> None:
    (tmp_path / "etl.py").write_text(dags.WAITING)
    with going("run", "etl.py", cwd=tmp_path) as run:
        run.until("attempt_started", map_index=2)

        done = actorflow("store", "prune", "--keep", "0", "--force", cwd=tmp_path)

    assert (done.code, done.out) == (0, "nothing to remove\n")
    assert len(journals(tmp_path)) == 1


def test_a_store_that_others_may_write_in_is_refused(tmp_path: Path) -> None:
    (tmp_path / "add.py").write_text(dags.ADD)
    (tmp_path / ".actorflow").mkdir()
    (tmp_path / ".actorflow").chmod(0o777)

    done = actorflow("run", "add.py", "-p", "n=2", cwd=tmp_path)

    assert done.code == 2
    assert "can be written by others" in done.err
    assert "chmod go-w" in done.err
