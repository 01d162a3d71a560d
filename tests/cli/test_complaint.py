"""What is wrong before anything runs: the same in words and as JSON."""

from __future__ import annotations

import json

import click
import pytest

from actorflow.cli.complaint import Place, Remark, complaint_json, complaint_lines
from actorflow.cli.dispatch import usage_remark, wants_json
from actorflow.cli.exits import ExitCode
from actorflow.cli.spans import plain_text

DUPLICATE = Remark(
    code="AF021",
    name="duplicate_name",
    message='two steps are named "clean"',
    place=Place(file="etl.py", line=52, text="b = clean(rows)"),
    related=(Place(file="etl.py", line=51, text="a = clean(rows)"),),
    help='name one: clean.options(name="again")(rows)',
)


def test_a_fault_says_what_where_and_how_to_mend_it() -> None:
    assert [plain_text(one) for one in complaint_lines((DUPLICATE,))] == [
        'error[AF021] two steps are named "clean"',
        "  --> etl.py:52   b = clean(rows)",
        "      etl.py:51   a = clean(rows)",
        '  help: name one: clean.options(name="again")(rows)',
    ]


def test_several_faults_are_all_listed_and_counted() -> None:
    lines = [plain_text(one) for one in complaint_lines((DUPLICATE, Remark(message="no file"), DUPLICATE))]

    assert lines.count('error[AF021] two steps are named "clean"') == 2
    assert "error: no file" in lines
    assert lines[-1] == "3 faults; nothing ran"


def test_as_json_a_complaint_is_one_event_of_no_run() -> None:
    text = complaint_json((DUPLICATE, Remark(message="no file")), ExitCode.invalid)
    event = json.loads(text)

    assert "\n" not in text
    assert (event["v"], event["seq"], event["type"], event["exit_code"]) == (1, 0, "error", 2)
    assert isinstance(event["ts"], float)
    assert event["faults"][0]["code"] == "AF021"
    assert event["faults"][0]["related"] == [{"file": "etl.py", "line": 51, "text": "a = clean(rows)"}]
    assert (event["faults"][1]["code"], event["faults"][1]["file"]) == (None, None)


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["run", "a.py", "--json"], True),
        (["--json", "run", "a.py"], True),
        (["run", "a.py", "--", "--json"], False),
        (["run", "a.py"], False),
        ([], False),
    ],
)
def test_json_is_asked_for_before_the_dags_own_options(arguments: list[str], wanted: bool) -> None:
    assert wants_json(arguments) is wanted


def test_an_unknown_option_comes_with_the_nearest_known_one() -> None:
    remark = usage_remark(click.NoSuchOption("--worker", possibilities=["--workers"]))

    assert remark.message == "no such option '--worker'"
    assert remark.help.splitlines()[0] == "did you mean `--workers`?"
