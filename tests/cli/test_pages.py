"""Help pages and the documentation: every command and option is in both."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from actorflow.cli.exits import ExitCode
from actorflow.cli.front import COMMANDS
from actorflow.cli.group import command_line
from tests.cli.shell import actorflow

DOCS = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()


def command(name: str) -> click.Command:
    found = command_line.get_command(click.Context(command_line), name)
    assert found is not None
    return found


def section(name: str) -> str:
    """What docs/cli.md says under the heading of one command."""
    found = re.search(rf"^## `actorflow {name}.*?(?=^## |\Z)", DOCS, re.MULTILINE | re.DOTALL)
    assert found is not None, f"docs/cli.md has no section for {name}"
    return found.group()


def commands(name: str) -> list[tuple[str, click.Command]]:
    """The command of that name; of a group those in it, `store verify`, ..."""
    found = command(name)
    if isinstance(found, click.Group):
        return [(f"{name} {below}", each) for below, each in found.commands.items()]
    return [(name, found)]


LEAVES = [leaf for name in COMMANDS for leaf in commands(name)]
OPTIONS = [
    (name, flag)
    for name, found in LEAVES
    for parameter in found.params
    if isinstance(parameter, click.Option)
    for flag in (*parameter.opts, *parameter.secondary_opts)
]


@pytest.mark.parametrize(("name", "flag"), OPTIONS, ids=[f"{name} {flag}" for name, flag in OPTIONS])
def test_every_option_of_a_command_is_documented_in_its_section(name: str, flag: str) -> None:
    assert re.search(rf"`{re.escape(flag)}[ `=]", section(name)), f"{flag} of {name} is not in docs/cli.md"


@pytest.mark.parametrize("name", sorted({*COMMANDS, *(name for name, _ in LEAVES)}))
def test_every_command_has_a_help_page_with_an_example(name: str, tmp_path: Path) -> None:
    done = actorflow(*name.split(), "--help", cwd=tmp_path)

    assert done.code == 0
    assert f"actorflow {name} " in done.out.partition("Examples:")[2]
    assert done.err == ""


@pytest.mark.parametrize("code", list(ExitCode))
def test_every_exit_code_is_documented(code: ExitCode) -> None:
    assert re.search(rf"^\| {int(code)} \|", DOCS, re.MULTILINE)


def test_the_front_page_is_the_same_with_and_without_click(tmp_path: Path) -> None:
    assert actorflow("--help", cwd=tmp_path).out == actorflow("--json", "--help", cwd=tmp_path).out


def test_the_version_is_told_as_text_and_as_json(tmp_path: Path) -> None:
    text = actorflow("--version", cwd=tmp_path)
    json = actorflow("--version", "--json", cwd=tmp_path)

    assert text.out == f"actorflow {json.answer['version']}\n"
    assert json.answer["v"] == 1


@pytest.mark.parametrize(("variable", "loop"), [("1", "uvloop"), ("0", "asyncio")])
def test_the_version_at_length_names_python_and_the_loop_of_a_run(
    variable: str, loop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACTORFLOW_UVLOOP", variable)

    text = actorflow("--version", "-v", cwd=tmp_path)
    json = actorflow("--version", "-v", "--json", cwd=tmp_path)

    assert json.answer["loop"] == loop
    assert text.out.splitlines()[:2] == [f"actorflow {json.answer['version']}", f"python {json.answer['python']}"]
    assert text.out.splitlines()[2].startswith(f"loop {loop} ")
    assert ("ACTORFLOW_UVLOOP" in text.out) == (variable == "0")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), ["no command given", "actorflow --help"]),
        (("rum",), ["no such command", "did you mean `run`?"]),
        (("-v",), ["-v belongs to --version"]),
        (("run",), ["missing argument", "actorflow run --help"]),
        (("run", "a.py", "--worker", "3"), ["no such option", "did you mean `--workers`?"]),
        (("run", "a.py", "--top", "3"), ["no such option", "after `--`"]),
        (("run", "a.py", "--workers", "0"), ["--workers", "x>=1"]),
        (("run", "a.py", "--backend", "twisted"), ["--backend", "asyncio", "trio"]),
        (("run", "a.py", "-p", "day"), ["-p takes NAME=VALUE", "day"]),
        (("graph", "a.py", "-f", "svg"), ["mermaid"]),
        (("show",), ["missing argument"]),
    ],
)
def test_a_usage_error_is_told_on_stderr_with_a_way_out(
    arguments: tuple[str, ...], words: list[str], tmp_path: Path
) -> None:
    done = actorflow(*arguments, cwd=tmp_path)

    assert done.code == 2
    assert done.out == ""
    assert [word for word in words if word not in done.err] == []
    assert "Traceback" not in done.err


def test_a_usage_error_with_json_is_one_event_on_stdout(tmp_path: Path) -> None:
    done = actorflow("run", "a.py", "--worker", "3", "--json", cwd=tmp_path)

    (event,) = done.events
    assert done.code == 2
    assert done.err == ""
    assert (event["v"], event["type"], event["exit_code"]) == (1, "error", 2)
    assert "no such option" in event["message"]
