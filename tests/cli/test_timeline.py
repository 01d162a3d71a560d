"""`actorflow timeline`: when what of a run waited and ran."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from actorflow.cli.spans import plain_text
from actorflow.cli.timeline_model import Bar, Timeline, timeline
from actorflow.cli.timeline_text import ASCII, UNICODE, glyphs_for, timeline_lines
from actorflow.runs.events import Record
from actorflow.runs.executor import Cause
from actorflow.runs.states import RunStatus
from tests.cli.dags import ADD, FAILING, WAITING
from tests.cli.records import START_S, VALUE_ERROR, begun, ended, over, ready, records, started, step, unstarted
from tests.cli.shell import actorflow, going

ETL = records(
    started(step("extract"), step("clean", "extract", mapped="row"), step("lookup"), step("report", "clean", "lookup")),
    ready(0, "extract"),
    ready(0, "lookup"),
    begun(0, "extract"),
    begun(0, "lookup"),
    ended(2, "extract", took_s=2),
    ready(2, "clean", 3),
    *[begun(2, "clean", index) for index in range(3)],
    ended(3, "lookup", took_s=1),
    ended(4, "clean", 0, took_s=1),
    ended(8, "clean", 1, took_s=4),
    ended(6, "clean", 2, took_s=1),
    ready(8, "report"),
    begun(8, "report"),
    ended(10, "report", took_s=1),
    over(10),
)


def of(run: list[Record], *, owned: bool = False, all_instances: bool = False) -> Timeline:
    return timeline("7f3k", run, owned=owned, now_s=START_S + 20, all_instances=all_instances)


def text(shown: Timeline, width: int = 71) -> list[str]:
    return [plain_text(line) for line in timeline_lines(shown, width=width, glyphs=ASCII)]


def bar(since: float, started: float, ended: float, state: str = "succeeded", attempt: int | None = 1) -> Bar:
    return Bar(START_S + since, START_S + started, START_S + ended, state, attempt)


def test_an_attempt_waits_then_runs() -> None:
    (lane,) = [lane for lane in of(ETL).lanes if lane.step == "lookup"]

    assert lane.bars == [bar(0, 2, 3)]
    assert not lane.critical


def test_a_map_is_one_lane_from_its_first_start_to_its_last_end() -> None:
    (lane,) = [lane for lane in of(ETL).lanes if lane.step == "clean"]

    assert lane.bars == [bar(2, 3, 8, attempt=None)]
    assert (lane.width, dict(lane.counts)) == (3, {"succeeded": 3})
    assert lane.critical_bar == bar(2, 4, 8, attempt=None)


def test_every_instance_can_have_a_lane_of_its_own() -> None:
    lanes = of(ETL, all_instances=True).lanes

    assert [lane.label for lane in lanes] == ["extract", "clean[0]", "clean[1]", "clean[2]", "lookup", "report"]
    assert [lane.label for lane in lanes if lane.critical] == ["extract", "clean[1]", "report"]


def test_the_critical_path_goes_through_the_instance_that_ended_last() -> None:
    shown = of(ETL)

    assert shown.path == ["extract", "clean[1]", "report"]
    assert shown.path_s == 10


def test_a_map_over_a_map_is_followed_element_by_element() -> None:
    run = records(
        started(step("m", mapped="x"), step("n", "m", mapped="y")),
        ready(0, "m", 2),
        ready(0, "n", 2),
        begun(0, "m", 0),
        begun(0, "m", 1),
        ended(1, "m", 0),
        begun(1, "n", 0),
        ended(5, "m", 1),
        begun(5, "n", 1),
        ended(6, "n", 1),
        ended(9, "n", 0, took_s=8),
        over(9),
    )

    assert of(run).path == ["m[0]", "n[0]"]


def test_each_attempt_of_a_retried_task_is_a_bar() -> None:
    run = records(
        started(step("a", attempts=2)),
        ready(0, "a"),
        begun(0, "a"),
        ended(1, "a", cause=Cause.error, error=VALUE_ERROR, retry_in_s=2),
        begun(4, "a", attempt=2),
        ended(6, "a", attempt=2, took_s=2),
        over(6),
    )

    assert of(run).lanes[0].bars == [bar(0, 0, 1, "failed"), bar(3, 4, 6, attempt=2)]
    assert of(run).lanes[0].state == "succeeded"


def test_what_runs_now_runs_until_now() -> None:
    shown = of(ETL[:6], owned=True)

    (lane,) = [lane for lane in shown.lanes if lane.step == "lookup"]
    assert lane.bars == [bar(0, 0, 20, "running")]
    assert (shown.status, shown.seconds) == (RunStatus.running, 20)


def test_what_ran_when_its_owner_was_killed_is_cut_off_at_the_last_thing_known() -> None:
    shown = of(ETL[:6])

    (lane,) = [lane for lane in shown.lanes if lane.step == "lookup"]
    assert lane.bars == [bar(0, 0, 2, "interrupted")]
    assert shown.status is RunStatus.interrupted


def test_a_step_that_never_ran_has_a_lane_without_bars() -> None:
    run = records(
        started(step("a"), step("b", "a")),
        ready(0, "a"),
        begun(0, "a"),
        ended(1, "a", cause=Cause.error, error=VALUE_ERROR),
        unstarted(1, "b"),
        over(1, RunStatus.failed),
    )

    lane = of(run).lanes[1]
    assert (lane.state, lane.bars) == ("upstream_failed", [])


def test_a_run_of_which_nothing_is_known_yet_is_drawn() -> None:
    assert text(of(records(started(step("a"))), owned=True))[0].startswith("run 7f3k  etl running")
    assert text(timeline("7f3k", [], owned=False, now_s=0.0))


def test_waiting_is_hatched_running_solid_and_the_critical_path_marked() -> None:
    assert text(of(ETL)) == [
        "run 7f3k  etl succeeded 10s",
        "",
        "                                 |0s                |5.0s",
        "* ok        extract        2.0s  ########",
        "* ok        clean[*] 3     5.0s         ....####================",
        "  ok        lookup         1.0s  .......#####",
        "* ok        report         1.0s                                ....####",
        "",
        ". waiting  # running  x failed or cut off",
        "* critical path (= its instance of a map): extract > clean[1..., 10s of 10s",
    ]


def test_a_failed_attempt_ends_in_a_sign_that_needs_no_colour() -> None:
    run = records(
        started(step("a")),
        ready(0, "a"),
        begun(0, "a"),
        ended(4, "a", cause=Cause.error, error=VALUE_ERROR, took_s=2),
        over(4, RunStatus.failed),
    )

    (lane,) = [line for line in text(of(run)) if " a " in line]
    assert lane.rstrip().endswith("#x")
    assert "FAILED" in lane


@pytest.mark.parametrize("width", [20, 60, 80, 200])
def test_no_lane_is_wider_than_the_terminal_unless_that_is_too_narrow_for_bars(width: int) -> None:
    lanes = text(of(ETL), width=width)[3:7]

    assert all(len(line) <= max(width, 60) for line in lanes)


@pytest.mark.parametrize(
    ("encoding", "glyphs"),
    [("utf-8", UNICODE), ("ascii", ASCII), ("latin-1", ASCII), (None, ASCII), ("no-such", ASCII)],
)
def test_blocks_are_drawn_where_they_can_be_written(encoding: str | None, glyphs: object) -> None:
    assert glyphs_for(encoding) is glyphs


# -- the command ------------------------------------------------------------------------------------------------------


def run_of(text: str, folder: Path) -> None:
    (folder / "flow.py").write_text(text)
    actorflow("run", "flow.py", cwd=folder)


def test_a_finished_run_is_drawn(tmp_path: Path) -> None:
    run_of(ADD, tmp_path)

    done = actorflow("timeline", "@last", cwd=tmp_path, env={"PYTHONIOENCODING": "utf-8"})

    assert done.code == 0, done.err
    assert "* ok        total" in done.out
    assert "█" in done.out
    assert "\x1b" not in done.out


def test_a_failed_run_is_drawn_with_letters_where_blocks_cannot_be_written(tmp_path: Path) -> None:
    run_of(FAILING, tmp_path)

    done = actorflow("timeline", "@last", "--all", cwd=tmp_path, env={"PYTHONIOENCODING": "ascii"})

    assert "clean[2]" in done.out
    assert "FAILED" in done.out
    assert done.out.isascii()


def test_colour_is_for_who_wants_it(tmp_path: Path) -> None:
    run_of(ADD, tmp_path)

    assert "\x1b[" in actorflow("timeline", "@last", cwd=tmp_path, env={"FORCE_COLOR": "1"}).out
    assert "\x1b" not in actorflow("timeline", "@last", cwd=tmp_path, env={"NO_COLOR": "1", "FORCE_COLOR": "1"}).out


def test_a_live_and_then_a_killed_run_is_drawn(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(WAITING)
    with going("run", "flow.py", cwd=tmp_path) as run:
        run.until("attempt_started", map_index=2)
        live = actorflow("timeline", "@last", "--json", cwd=tmp_path)
        run.process.kill()
        run.end()
    killed = actorflow("timeline", "@last", "--json", cwd=tmp_path)

    assert live.answer["status"] == "running"
    assert [lane["state"] for lane in live.answer["lanes"]] == ["running", "pending"]
    assert killed.answer["status"] == "interrupted"
    assert killed.answer["lanes"][0]["state"] == "interrupted"


def test_json_has_every_bar(tmp_path: Path) -> None:
    run_of(ADD, tmp_path)

    answer = actorflow("timeline", "@last", "--json", "--all", cwd=tmp_path).answer

    assert answer["v"] == 1
    assert [lane["label"] for lane in answer["lanes"]][:3] == ["numbers", "double[0]", "double[1]"]
    assert all(
        bar["waiting_since"] <= bar["started"] <= bar["ended"] for lane in answer["lanes"] for bar in lane["bars"]
    )
    assert answer["critical_path"][-1] == "total"


def test_an_svg_is_printed_or_written(tmp_path: Path) -> None:
    run_of(ADD, tmp_path)

    printed = actorflow("timeline", "@last", "-o", "svg", cwd=tmp_path)
    written = actorflow("timeline", "@last", "-o", "run.svg", cwd=tmp_path)

    assert printed.out.startswith("<svg ")
    assert written.out == ""
    assert (tmp_path / "run.svg").read_text(encoding="utf-8") == printed.out


def test_another_kind_of_output_is_refused(tmp_path: Path) -> None:
    run_of(ADD, tmp_path)

    done = actorflow("timeline", "@last", "-o", "run.png", cwd=tmp_path)

    assert done.code == 2
    assert "-o takes `svg` or a file that ends in .svg, not `run.png`" in done.err
    assert os.listdir(tmp_path).count("run.png") == 0


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    run_of(ADD, tmp_path)

    done = actorflow("timeline", "@last", "-o", "nowhere/run.svg", cwd=tmp_path)

    assert done.code == 2
    assert "error: nowhere/run.svg: cannot be written: No such file or directory" in done.err
    assert "Traceback" not in done.err


def test_a_run_that_there_is_not_is_refused(tmp_path: Path) -> None:
    assert actorflow("timeline", "@last", cwd=tmp_path).code == 2


def test_ids_are_named_by_a_beginning(tmp_path: Path) -> None:
    run_of(ADD, tmp_path)
    run_id = json.loads(actorflow("runs", "--json", cwd=tmp_path).out)["runs"][0]["run_id"]

    assert run_id in actorflow("timeline", run_id[:12], cwd=tmp_path).out
