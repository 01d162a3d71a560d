"""Where colour and a live region are allowed, a row each."""

from __future__ import annotations

import io

import pytest

from actorflow.cli.streams import Notes, Result, wants_color, wants_live
from tests.cli.streams import Gone, Terminal


@pytest.mark.parametrize(
    ("stream", "environment", "allowed"),
    [
        (Terminal(), {}, True),
        (io.StringIO(), {}, False),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        (io.StringIO(), {"FORCE_COLOR": "1"}, True),
        (io.StringIO(), {"FORCE_COLOR": "0"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (Terminal(), {"TERM": "dumb", "FORCE_COLOR": "1"}, True),
    ],
)
def test_colour_follows_the_environment(stream: io.StringIO, environment: dict[str, str], allowed: bool) -> None:
    assert wants_color(stream, environment) is allowed


@pytest.mark.parametrize(
    ("stream", "environment", "allowed"),
    [
        (Terminal(), {"TERM": "xterm"}, True),
        (Terminal(), {"TERM": "xterm", "NO_COLOR": "1"}, True),
        (Terminal(), {"TERM": "dumb"}, False),
        (Terminal(), {}, False),
        (io.StringIO(), {"TERM": "xterm", "FORCE_COLOR": "1"}, False),
    ],
)
def test_a_live_region_needs_a_terminal_with_a_cursor(
    stream: io.StringIO, environment: dict[str, str], allowed: bool
) -> None:
    assert wants_live(stream, environment) is allowed


@pytest.mark.parametrize(("error", "is_lost"), [(BrokenPipeError(), False), (OSError(28, "No space left"), True)])
def test_a_result_is_lost_only_where_somebody_still_wants_it(error: OSError, is_lost: bool) -> None:
    result = Result(Gone(error))

    result.write_line("{}")
    result.write_line("{}")

    assert result.problem is error
    assert result.is_lost is is_lost


def test_notes_whose_reader_went_away_fall_silent() -> None:
    notes = Notes(Gone(BrokenPipeError()))

    notes.insist([()])

    assert notes.silent
