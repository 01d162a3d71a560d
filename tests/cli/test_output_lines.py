"""What of a log is asked for, and how it reads."""

from __future__ import annotations

from datetime import datetime

import pytest

from actorflow.cli.complaint import Complaint
from actorflow.cli.output_lines import Wanted, last_lines, output_lines, quiet_text
from actorflow.cli.spans import rendered
from actorflow.cli.time_words import level_of, moment_s
from actorflow.runs.output import LogFields, Origin, OutputRecord, Stream

PRINTED = OutputRecord(Origin("load", 3, 2), 100.0, Stream.out, ("a", "b"))
ERR = OutputRecord(Origin("load", 3, 2), 100.0, Stream.err, ("c",))
LOGGED = OutputRecord(Origin("load", 3, 2), 100.0, Stream.log, ("late",), LogFields("WARNING", "shop"))
GAP = OutputRecord(Origin("load", 3, 2), 100.0, None, dropped=1204)
OF_A_WORKER = OutputRecord(Origin(worker="process-1"), 100.0, Stream.err, ("hello",))
EVERY = [PRINTED, ERR, LOGGED, GAP, OF_A_WORKER]


@pytest.mark.parametrize(
    ("wanted", "admitted"),
    [
        (Wanted(), EVERY),
        (Wanted(task="load"), [PRINTED, ERR, LOGGED, GAP]),
        (Wanted(task="other"), []),
        (Wanted(map_index=3), [PRINTED, ERR, LOGGED, GAP]),
        (Wanted(map_index=4), []),
        (Wanted(attempt=2), [PRINTED, ERR, LOGGED, GAP]),
        (Wanted(attempt=1), []),
        (Wanted(streams=frozenset({Stream.out})), [PRINTED, GAP]),
        (Wanted(streams=frozenset({Stream.err, Stream.log}), task="load"), [ERR, LOGGED, GAP]),
        (Wanted(level=30), [LOGGED, GAP]),
        (Wanted(level=40), [GAP]),
        (Wanted(since_s=100.0), EVERY),
        (Wanted(since_s=100.5), []),
    ],
)
def test_what_is_asked_for_is_shown_and_a_gap_wherever_something_may_be_missing(
    wanted: Wanted, admitted: list[OutputRecord]
) -> None:
    assert [record for record in EVERY if wanted.admits(record)] == admitted


def test_each_line_says_whose_it_is() -> None:
    text = rendered([spans for record in EVERY for spans in output_lines(record)], color=False)

    assert text.splitlines() == [
        "load[3] | a",
        "load[3] | b",
        "load[3] | c",
        "load[3] | WARNING shop: late",
        "load[3] | ... 1,204 lines dropped ...",
        "process-1 | hello",
    ]


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b[2J\x1b[Hgone", "gone"),
        ("\x9b31mred", "red"),
        ("10%\r20%\r", "20%"),
        ("bell\x07", "bell\\x07"),
        ("back\x08\x08", "back\\x08\\x08"),
        ("\x1bPq\x1b\\", "q"),
        ("\u202edesrever", "\\u202edesrever"),
        ("\x00", "\\x00"),
        ("a\tb", "a   b"),
    ],
)
@pytest.mark.parametrize("color", [False, True])
def test_nothing_that_is_printed_moves_the_cursor(printed: str, shown: str, color: bool) -> None:
    record = OutputRecord(Origin("load"), 1.0, Stream.out, (printed,))
    text = rendered(output_lines(record), color=color)

    assert text.endswith(f"{shown}\n")
    assert quiet_text(quiet_text(printed)) == quiet_text(printed)


def test_the_last_lines_of_each_origin_are_found() -> None:
    other = Origin("load", 4, 1)
    records = [*EVERY, OutputRecord(other, 1.0, Stream.out, tuple(map(str, range(100))))]

    found = last_lines(records, [PRINTED.origin, other], at_most=4)

    assert [record.lines for record in found[PRINTED.origin]] == [("b",), ("c",), ("late",), ()]
    assert [record.lines for record in found[other]] == [("96", "97", "98", "99")]


def test_since_is_so_long_ago_or_a_time() -> None:
    assert moment_s("10m", now_s=1000.0) == 400.0
    assert moment_s("1h30m ago", now_s=10_000.0) == 4600.0
    assert moment_s("2026-11-21T14:25", now_s=0.0) == datetime(2026, 11, 21, 14, 25).timestamp()
    assert moment_s("1970-01-01T00:00:10+00:00", now_s=0.0) == 10.0
    with pytest.raises(Complaint, match="--since yesterday: no time"):
        moment_s("yesterday", now_s=0.0)


def test_a_level_is_named_or_a_number() -> None:
    assert [level_of("warning"), level_of("INFO"), level_of("15")] == [30, 20, 15]
    with pytest.raises(Complaint, match="--level loud: no level of logging"):
        level_of("loud")
