"""The comparison with other systems tells what became of every subject, and what each figure is a share of."""

from __future__ import annotations

import pytest

from bench.peers.__main__ import GROUPS, Subject, Tally, measure, table, turn


def test_a_peer_that_is_not_installed_is_said_to_be_absent() -> None:
    found = turn(Subject("pykka", "actors_pykka"), scale=0.001)

    assert found["absent"].startswith("cannot import pykka: ModuleNotFoundError")


def test_a_subject_that_fails_is_reported_with_its_exit_code_and_last_words() -> None:
    found = turn(Subject("nobody", "no_such_subject"), scale=0.001)

    assert found["trouble"].startswith("exit code 1: ")
    assert "no_such_subject" in found["trouble"]


def test_a_subject_in_trouble_stays_in_the_report_and_in_the_table() -> None:
    found = measure([Subject("limit", "process_echo"), Subject("nobody", "no_such_subject")], rounds=1, scale=0.001)

    assert found["limit"]["per_s"]["fan_1000"] > 0
    assert "no_such_subject" in found["nobody"]["trouble"]
    assert any("no_such_subject" in line for line in table("process_tasks", found))


def test_a_rate_is_the_median_of_the_rounds_and_a_share_of_the_limit() -> None:
    tally = Tally()
    for rate in (10.0, 30.0, 20.0):
        tally.add({"version": "1.0", "per_s": {"tell": rate}, "failed": {}})

    report = tally.report({"tell": 40.0})

    assert report["per_s"] == {"tell": 20}
    assert report["range"] == {"tell": [10, 30]}
    assert report["of_limit"] == {"tell": 0.5}


def test_a_case_that_failed_is_told_and_one_that_a_peer_has_not_is_a_dash() -> None:
    tally = Tally()
    tally.add({"version": "1.0", "per_s": {"tell": 1.0}, "failed": {"ask": "ValueError: no"}})
    other = Tally()
    other.add({"version": "2.0", "per_s": {"tell": 1.0, "ask": 1.0, "ring": 1.0}, "failed": {}})

    lines = table("actors", {"one": tally.report({}), "other": other.report({})})

    assert lines[2] == "| one 1.0 | 1 | failed | - |"


@pytest.mark.parametrize("group", GROUPS)
def test_every_limit_that_a_subject_names_is_a_subject_of_its_group(group: str) -> None:
    labels = [subject.label for subject in GROUPS[group]]

    assert labels[0].startswith("limit")
    assert {subject.limit or labels[0] for subject in GROUPS[group]} <= set(labels)
