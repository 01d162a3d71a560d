"""A dag's own options, made from its parameters and its docstring."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import click
import pytest

from actorflow.cli.complaint import HelpAsked
from actorflow.cli.dag_options import parameter_doc, read_own_options
from actorflow.flows.graph import ParamSpec

SPECS = (
    ParamSpec(name="root", annotation=Path, required=True),
    ParamSpec(name="min_rows", annotation=int, required=False, default=10),
    ParamSpec(name="tags", annotation=list[str], required=False, default=()),
    ParamSpec(name="full", annotation=bool, required=False, default=False),
    ParamSpec(name="dry", annotation=Annotated[bool, "words"], required=False, default=True),
)
DOC = """Count what is there.

Further words.

root: where to begin
min_rows: fewer are refused
"""


def read(*arguments: str) -> dict[str, list[str]]:
    return dict(read_own_options(SPECS, arguments, doc=DOC, command="actorflow run etl.py"))


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ((), {}),
        (("--root", "/usr"), {"root": ["/usr"]}),
        (("--min-rows", "5"), {"min_rows": ["5"]}),
        (("--min_rows=5",), {"min_rows": ["5"]}),
        (("--tags", "a", "--tags", "b"), {"tags": ["a", "b"]}),
        (("--full",), {"full": ["true"]}),
        (("--no-full", "--no-dry"), {"full": ["false"], "dry": ["false"]}),
        (("--root", ""), {"root": [""]}),
        (("--min-rows", "-5"), {"min_rows": ["-5"]}),
    ],
)
def test_options_come_back_as_texts_by_parameter_name(arguments: tuple[str, ...], given: dict[str, list[str]]) -> None:
    assert read(*arguments) == given


@pytest.mark.parametrize("arguments", [("--rooot", "x"), ("stray",), ("--root",)])
def test_what_is_no_option_of_the_dag_is_a_usage_error(arguments: tuple[str, ...]) -> None:
    with pytest.raises(click.UsageError):
        read(*arguments)


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_the_help_page_has_types_defaults_and_words(flag: str) -> None:
    with pytest.raises(HelpAsked) as asked:
        read(flag)

    text = asked.value.text
    assert text.startswith("Usage: actorflow run etl.py -- [OPTIONS]")
    assert "Count what is there." in text
    assert "Further words." in text
    rows = {line.split()[0]: " ".join(line.split()) for line in text.splitlines() if line.strip().startswith("--")}
    assert rows["--root"] == "--root Path where to begin [required]"
    assert rows["--min-rows"] == "--min-rows int fewer are refused [default: 10]"
    assert rows["--tags"] == "--tags list[str] [default: ()]"
    assert rows["--full"] == "--full / --no-full [default: --no-full]"
    assert rows["--dry"] == "--dry / --no-dry [default: --dry]"


def test_a_parameter_called_help_takes_the_name_from_the_page() -> None:
    specs = (ParamSpec(name="help", annotation=str, required=True),)

    assert read_own_options(specs, ["--help", "me"], doc="", command="x") == {"help": ["me"]}
    with pytest.raises(HelpAsked):
        read_own_options(specs, ["-h"], doc="", command="x")


@pytest.mark.parametrize(
    ("doc", "words"),
    [
        ("n: how many", "how many"),
        ("    n (int): how many", "how many"),
        (":param n: how many", "how many"),
        (":param int n: how many", "how many"),
        ("nn: other", ""),
        ("in: other", ""),
        ("n:", ""),
        ("", ""),
    ],
)
def test_a_docstring_says_what_a_parameter_is(doc: str, words: str) -> None:
    assert parameter_doc(doc, "n") == words
