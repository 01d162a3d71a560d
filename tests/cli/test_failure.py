"""A failure shows the user's own frames first, and tells the cause in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from actorflow.cli.board import Failure
from actorflow.cli.failure import failure_lines, run_failure_lines, short_path
from actorflow.cli.spans import plain_text
from actorflow.runs.executor import Cause, ErrorRecord, Frame
from actorflow.runs.time_limit import DEADLINE, QUEUE_TIMEOUT, run_timed_out
from tests.cli.records import VALUE_ERROR

FAILURE = Failure(
    task="clean",
    map_index=107,
    cause=Cause.error,
    error=VALUE_ERROR,
    attempt=3,
    attempts_allowed=3,
    worker="2",
    seconds=0.4,
)


def shown(failure: Failure, *, full_traceback: bool = False) -> list[str]:
    return [plain_text(one) for one in failure_lines(failure, folder="/home/me", full_traceback=full_traceback)]


def test_the_block_names_task_error_frames_attempt_and_what_is_hidden() -> None:
    assert shown(FAILURE) == [
        "FAILED clean[107]  ValueError: could not convert string to float: 'n/a'",
        '  etl.py:41 in clean   price = parse(row["price"])',
        "  etl.py:22 in parse   return float(text)",
        "  attempt 3 of 3, worker 2, 0.4s, 1 frame of actorflow hidden",
    ]


def test_a_full_traceback_hides_nothing() -> None:
    lines = shown(FAILURE, full_traceback=True)

    assert "  Traceback (most recent call last):" in lines
    assert not any("hidden" in text for text in lines)


@pytest.mark.parametrize(
    ("cause", "error", "headline"),
    [
        (Cause.timed_out, ErrorRecord(type="builtins:TimeoutError", message="after 30s"), "timed out: after 30s"),
        (
            Cause.out_of_memory,
            ErrorRecord(type="x:OutOfMemory", message="312 of 256 MiB"),
            "out of memory: 312 of 256 MiB",
        ),
        (Cause.lost, ErrorRecord(type="x:Lost", message="exit code 139"), "its worker died: exit code 139"),
        (
            Cause.bad_output,
            ErrorRecord(type="x:E", message="result.rows[3]"),
            "its result cannot be stored: result.rows[3]",
        ),
        (Cause.bad_input, ErrorRecord(type="x:E", message="an int"), "its input does not fit: an int"),
        (Cause.error, ErrorRecord(type="etl:Bad.Row", message=""), "Bad.Row"),
        (Cause.lost, None, "its worker died"),
    ],
)
def test_each_cause_has_words_of_its_own(cause: Cause, error: ErrorRecord | None, headline: str) -> None:
    assert shown(replace(FAILURE, cause=cause, error=error))[0] == f"FAILED clean[107]  {headline}"


def test_a_failure_before_any_attempt_has_no_small_print() -> None:
    failure = replace(FAILURE, error=None, attempt=0, worker="", seconds=None, cause=Cause.bad_input)

    assert shown(failure) == ["FAILED clean[107]  its input does not fit"]


def test_of_a_deep_recursion_both_ends_are_shown() -> None:
    frames = tuple(Frame("/home/me/etl.py", n, "dig", "dig()", False) for n in range(1, 51))
    lines = shown(replace(FAILURE, error=replace(VALUE_ERROR, frames=frames)))

    assert lines[1] == "  etl.py:1 in dig   dig()"
    assert "  ... 42 more of your frames" in lines
    assert lines[-2] == "  etl.py:50 in dig   dig()"


def test_a_message_of_many_lines_is_cut() -> None:
    lines = shown(replace(FAILURE, error=replace(VALUE_ERROR, message="\n".join(map(str, range(100))), frames=())))

    assert lines[-2] == "  ... 92 more lines"


@pytest.mark.parametrize(
    ("file", "short"), [("/home/me/a/b.py", "a/b.py"), ("/home/mee/b.py", "/home/mee/b.py"), ("/etc/x.py", "/etc/x.py")]
)
def test_a_file_below_the_current_folder_is_named_from_there(file: str, short: str) -> None:
    assert short_path(file, "/home/me") == short


@pytest.mark.parametrize(
    ("cause", "type", "help"),
    [
        (Cause.timed_out, "builtins:TimeoutError", "raise its `timeout`, or find out what it waited for"),
        (Cause.timed_out, DEADLINE, "raise its `deadline`, which counts all attempts and the waits between them"),
        (Cause.timed_out, QUEUE_TIMEOUT, "raise its `queue_timeout`, or give the run more workers"),
        (Cause.out_of_memory, "x:E", 'raise its `memory`; "1GiB * attempt" gives another attempt more'),
        (
            Cause.lost,
            "x:E",
            "its process ended without an exception: a crash in C code, os._exit, or a kill from outside",
        ),
        (Cause.bad_output, "x:E", "return plain values, dataclasses, pydantic models, arrays or tables"),
    ],
)
def test_each_cause_has_a_way_out_of_its_own(cause: Cause, type: str, help: str) -> None:
    failure = replace(FAILURE, cause=cause, error=ErrorRecord(type=type, message="so"))

    assert shown(failure)[-1] == f"  help: {help}"


def test_a_run_that_failed_as_a_whole_says_why_and_what_to_do() -> None:
    lines = [plain_text(one) for one in run_failure_lines("timed_out", run_timed_out(60.0))]

    assert lines == [
        "FAILED the run  timed out: the run was not over within its timeout of 1m",
        "  help: raise --timeout, or the `timeout` of the dag",
    ]
