"""Profiles: found upwards, strict about what they hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from actorflow.cli.complaint import Complaint
from actorflow.cli.profile import Profile, read_profile

CI = """
[profile.ci]
executor = "process"
workers = 4
store = "build/runs"

[profile.ci.tasks]
census = "thread"
"""


def test_a_profile_is_read_from_a_folder_above(tmp_path: Path) -> None:
    (tmp_path / "actorflow.toml").write_text(CI)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)

    assert read_profile("ci", below) == Profile(
        name="ci",
        file=str(tmp_path / "actorflow.toml"),
        executor="process",
        workers=4,
        store=str(tmp_path / "build/runs"),
        tasks={"census": "thread"},
    )


def test_a_profile_may_stand_in_pyproject(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\n[tool.actorflow.profile.ci]\nworkers = 2\n')

    assert read_profile("ci", tmp_path).workers == 2


def test_a_pyproject_without_our_section_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "actorflow.toml").write_text(CI)
    below = tmp_path / "project"
    below.mkdir()
    (below / "pyproject.toml").write_text('[project]\nname = "x"\n')

    assert read_profile("ci", below).workers == 4


def test_the_own_file_wins_over_pyproject_in_the_same_folder(tmp_path: Path) -> None:
    (tmp_path / "actorflow.toml").write_text(CI)
    (tmp_path / "pyproject.toml").write_text("[tool.actorflow.profile.ci]\nworkers = 2\n")

    assert read_profile("ci", tmp_path).workers == 4


@pytest.mark.parametrize(
    ("text", "message", "help", "line"),
    [
        ("[profile.ci]\nexecuter = 'x'", "profile `ci`: unknown key `executer`", "did you mean `executor`?", 2),
        ("[profile.cii]\n", "no profile `ci`", "did you mean `cii`?", 0),
        ("[profile.prod]\n", "no profile `ci`", "known: prod", 0),
        ("", "no profile `ci`", "there are none", 0),
        ("[profil.ci]\n", "unknown setting `profil`", "did you mean `profile`?", 1),
        ("[profile.ci]\nworkers = 0", "profile `ci`: `workers` must be a whole number from 1, not 0", "", 2),
        ("[profile.ci]\nworkers = true", "profile `ci`: `workers` must be a whole number from 1, not True", "", 2),
        ("[profile.ci]\ntimeuot = '2h'", "profile `ci`: unknown key `timeuot`", "did you mean `timeout`?", 2),
        ("[profile.ci]\nmax_memroy = 1", "profile `ci`: unknown key `max_memroy`", "did you mean `max_memory`?", 2),
        (
            "[profile.ci]\ntimeout = 3",
            'profile `ci`: `timeout`: must be a text with a unit, such as "2h", not 3',
            "",
            2,
        ),
        (
            "[profile.ci]\ngrace = 'soon'",
            "profile `ci`: `grace`: 'soon' is no duration; "
            'write "200ms", "30s", "5m" or "1h30m", a number of seconds, or a timedelta',
            "",
            2,
        ),
        (
            "[profile.ci]\nmax_memory = 'much'",
            "profile `ci`: `max_memory`: 'much' is no size; "
            'write "256MiB" (1024 based), "256MB" (1000 based) or a number of bytes',
            "",
            2,
        ),
        ("[profile.ci]\nmax_cpus = 0", "profile `ci`: `max_cpus` must be a number above 0, not 0", "", 2),
        ("[profile.ci]\nmax_cpus = inf", "profile `ci`: `max_cpus` must be a number above 0, not inf", "", 2),
        ("[profile.ci]\nmax_cpus = true", "profile `ci`: `max_cpus` must be a number above 0, not True", "", 2),
        ("[profile.ci]\nfail_fast = 1", "profile `ci`: `fail_fast` must be true or false, not 1", "", 2),
        ("[profile.ci]\nexecutor = 3", "profile `ci`: `executor` must be a string, not 3", "", 2),
        ("[profile.ci]\nstore = 3", "profile `ci`: `store` must be a string, not 3", "", 2),
        (
            "[profile.ci]\ntasks = 3",
            "profile `ci`: `tasks` must map step names to executors",
            'for example census = "thread"',
            2,
        ),
        (
            "[profile.ci]\ntasks = {a = 3}",
            "profile `ci`: `tasks` must map step names to executors",
            'for example census = "thread"',
            2,
        ),
        ("[profile]\nci = 3", "profile `ci` must be a table", "write [profile.ci]", 0),
        ("profile = 3", "`profile` must be a table", 'write [profile.ci] and below it executor = "process"', 0),
    ],
)
def test_a_mistake_in_the_settings_is_named_with_its_line(
    tmp_path: Path, text: str, message: str, help: str, line: int
) -> None:
    (tmp_path / "actorflow.toml").write_text(text)

    with pytest.raises(Complaint) as caught:
        read_profile("ci", tmp_path)

    (remark,) = caught.value.remarks
    assert (remark.message, remark.help) == (message, help)
    assert remark.place is not None
    assert (remark.place.file, remark.place.line) == (str(tmp_path / "actorflow.toml"), line)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "actorflow.toml").write_text("[profile.ci]\nworkers = 0\nexecuter = 'x'\n")

    with pytest.raises(Complaint) as caught:
        read_profile("ci", tmp_path)

    assert len(caught.value.remarks) == 2


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    (tmp_path / "actorflow.toml").write_text("[profile.ci")

    with pytest.raises(Complaint, match="cannot be read as TOML"):
        read_profile("ci", tmp_path)


def test_without_any_settings_the_help_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(Complaint) as caught:
        read_profile("ci", tmp_path)

    assert "[profile.NAME]" in caught.value.remarks[0].help
