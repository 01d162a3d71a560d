"""Settings and parameters: what flags, profiles and texts add up to."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from actorflow.cli.complaint import Complaint
from actorflow.cli.options import GivenLimits, Selection
from actorflow.cli.profile import Profile
from actorflow.cli.settings import Settings, settings, split_params, with_profile
from actorflow.flows.graph import Const, Graph, Location, Step, TaskKind
from actorflow.flows.limits import RunLimits

HERE = Location("etl.py", 1)
GRAPH = Graph(
    name="etl",
    module="etl",
    location=HERE,
    params=(),
    steps=(
        Step(name="extract", task="etl:extract", kind=TaskKind.coroutine, location=HERE),
        Step(name="clean", task="etl:clean", kind=TaskKind.sync, location=HERE, executor="process"),
    ),
    result=Const(None),
)


def test_a_profile_changes_the_executor_of_the_steps_it_names_and_of_no_other() -> None:
    changed = with_profile(GRAPH, Profile(name="ci", tasks={"clean": "thread"}))

    assert [step.executor for step in changed.steps] == [None, "thread"]


@pytest.mark.parametrize(
    ("tasks", "message", "help"),
    [
        ({"claen": "thread"}, "names the step `claen`, which dag `etl` does not have", "did you mean `clean`?"),
        ({"clean": "threads"}, "gives `clean` the executor `threads`, which there is not", "did you mean `thread`?"),
    ],
)
def test_a_profile_that_does_not_fit_the_dag_is_refused(tasks: dict[str, str], message: str, help: str) -> None:
    with pytest.raises(Complaint) as caught:
        with_profile(GRAPH, Profile(name="ci", file="actorflow.toml", tasks=tasks))

    (remark,) = caught.value.remarks
    assert remark.message == f"profile `ci` {message}"
    assert remark.help == help


def test_flags_win_over_the_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "actorflow.toml").write_text('[profile.ci]\nexecutor = "process"\nworkers = 4\nstore = "s"\n')
    monkeypatch.chdir(tmp_path)

    chosen = settings(executor="inline", profile="ci")

    assert (chosen.executor, chosen.workers, chosen.store) == ("inline", 4, str(tmp_path / "s"))


def test_without_a_profile_no_settings_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "actorflow.toml").write_text("this is no TOML")
    monkeypatch.chdir(tmp_path)

    assert settings() == Settings()


@pytest.mark.parametrize(
    ("pairs", "given"),
    [
        ((), {}),
        (("a=1", "b="), {"a": ["1"], "b": [""]}),
        (("a=1", "a=2"), {"a": ["1", "2"]}),
        (("a=x=y",), {"a": ["x=y"]}),
    ],
)
def test_a_parameter_is_split_at_its_first_equals_sign(pairs: tuple[str, ...], given: dict[str, list[str]]) -> None:
    assert split_params(pairs) == given


@pytest.mark.parametrize("pair", ["day", "=5", ""])
def test_a_parameter_without_a_name_or_a_sign_is_a_usage_error(pair: str) -> None:
    with pytest.raises(click.UsageError, match="NAME=VALUE"):
        split_params((pair,))


LIMITS = """
[profile.ci]
timeout = "2h"
max_memory = "4GiB"
default_memory = 268435456
max_cpus = 2.5
grace = "30s"
fail_fast = true
"""


def test_a_profile_gives_limits_grace_and_fail_fast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "actorflow.toml").write_text(LIMITS)
    monkeypatch.chdir(tmp_path)

    chosen = settings(profile="ci")

    assert chosen.limits == RunLimits(timeout="2h", max_memory="4GiB", default_memory=268435456, max_cpus=2.5)
    assert (chosen.grace_s, chosen.selection.fail_fast) == (30.0, True)


def test_flags_win_over_the_limits_of_a_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "actorflow.toml").write_text(LIMITS)
    monkeypatch.chdir(tmp_path)

    chosen = settings(
        profile="ci",
        limits=GivenLimits(timeout="0s", max_memory="0", max_cpus=1.0),
        grace="1s",
        selection=Selection(fail_fast=False),
    )

    assert chosen.limits == RunLimits(timeout="0s", max_memory=0, default_memory=268435456, max_cpus=1.0)
    assert (chosen.grace_s, chosen.selection.fail_fast) == (1.0, False)
