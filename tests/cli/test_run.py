"""`actorflow run`, end to end: what is on which stream, and the exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli import dags
from tests.cli.shell import actorflow, environment, going


def write(folder: Path, text: str, name: str = "etl.py") -> str:
    (folder / name).write_text(text)
    return name


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_on_success_stdout_is_the_result_as_json_and_nothing_else(tmp_path: Path, backend: str) -> None:
    done = actorflow("run", write(tmp_path, dags.ADD), "--backend", backend, cwd=tmp_path)

    assert done.code == 0
    assert done.answer == 2 + 1 * 0 + 4 + 6 + 8 - 2
    assert done.err.startswith("loading etl.py\n")
    assert "succeeded in" in done.err.splitlines()[-1]


def test_output_to_a_pipe_has_no_escape_codes(tmp_path: Path) -> None:
    done = actorflow("run", write(tmp_path, dags.FAILING), cwd=tmp_path, env={"TERM": "xterm-256color"})

    assert "\x1b" not in done.out + done.err


def test_colour_can_be_forced_into_a_pipe(tmp_path: Path) -> None:
    done = actorflow("run", write(tmp_path, dags.FAILING), cwd=tmp_path, env={"FORCE_COLOR": "1"})

    assert "\x1b[1;31mFAILED\x1b[0m" in done.err


def test_a_change_is_a_line(tmp_path: Path) -> None:
    done = actorflow("run", write(tmp_path, dags.ADD), "-p", "n=2", cwd=tmp_path)
    lines = [text.partition(" ")[2] for text in done.err.splitlines()[1:-1]]

    assert lines[0].startswith("add run ")
    assert "double[*] 2 items" in lines
    assert any(text.startswith("double[1] ok ") for text in lines)


def test_json_is_the_event_stream_and_stderr_is_silent(tmp_path: Path) -> None:
    done = actorflow("run", write(tmp_path, dags.ADD), "--json", cwd=tmp_path)
    first, *_, last = done.events

    assert done.code == 0
    assert done.err == ""
    assert [event["seq"] for event in done.events] == list(range(1, len(done.events) + 1))
    assert all(event["v"] == 1 and isinstance(event["ts"], float) for event in done.events)
    assert (first["type"], first["dag"], first["params"]["n"]) == (
        "run_started",
        "add",
        {"value": 5, "source": "default"},
    )
    assert (last["type"], last["run_id"], last["status"], last["result"]) == (
        "run_finished",
        first["run_id"],
        "succeeded",
        18,
    )


def test_with_json_the_result_of_a_failed_run_is_its_error(tmp_path: Path) -> None:
    done = actorflow("run", write(tmp_path, dags.FAILING), "--json", cwd=tmp_path)
    last = done.events[-1]

    assert done.code == 1
    assert (last["type"], last["status"], last["cause"]) == ("run_finished", "failed", "error")
    assert last["error"]["type"] == "builtins:ValueError"


def test_a_failure_shows_the_users_frames_and_what_to_type_next(tmp_path: Path) -> None:
    done = actorflow("run", write(tmp_path, dags.FAILING), cwd=tmp_path)
    block = done.err[done.err.index("\nFAILED clean[2]") :]

    assert done.code == 1
    assert done.out == ""
    assert "ValueError: could not convert string to float: 'n/a'" in block
    assert "etl.py:13 in clean   return parse(row)" in block
    assert "etl.py:9 in parse    return float(text)" in block
    assert "attempt 2 of 2" in block
    assert "of actorflow hidden" in block
    assert "not run: report, mail, for want of clean[*]" in block
    assert "actorflow show " in block
    assert "debug   actorflow run etl.py --executor inline" in block
    assert "Traceback" not in done.err


def test_the_full_traceback_is_shown_on_demand(tmp_path: Path) -> None:
    done = actorflow("run", write(tmp_path, dags.FAILING), "--full-traceback", cwd=tmp_path)

    assert "Traceback (most recent call last)" in done.err
    assert "hidden" not in done.err


def test_the_advice_repeats_the_parameters_that_were_given(tmp_path: Path) -> None:
    text = dags.FAILING.replace("def etl()", "def etl(day: str)")
    done = actorflow("run", write(tmp_path, text), "-p", "day=a b", cwd=tmp_path)

    assert "actorflow run etl.py -p 'day=a b' --executor inline" in done.err


def test_what_the_users_code_prints_never_reaches_stdout(tmp_path: Path) -> None:
    done = actorflow("run", write(tmp_path, dags.LOUD), cwd=tmp_path)

    assert done.answer == "quiet"
    for text in dags.LOUD_WORDS:
        assert text in done.err


def test_flaky_tasks_are_said(tmp_path: Path) -> None:
    done = actorflow("run", write(tmp_path, dags.FLAKY), cwd=tmp_path)

    assert done.code == 0
    assert done.answer == "done"
    assert "retry OSError: not yet, attempt 1 of 3" in done.err
    assert "1 flaky (passed on retry)" in done.err


def test_quiet_leaves_the_last_line(tmp_path: Path) -> None:
    done = actorflow("run", write(tmp_path, dags.ADD), "--quiet", cwd=tmp_path)

    assert len(done.err.splitlines()) == 1
    assert "succeeded in" in done.err


def test_quiet_still_tells_a_failure(tmp_path: Path) -> None:
    done = actorflow("run", write(tmp_path, dags.FAILING), "-q", cwd=tmp_path)

    assert done.err.startswith("FAILED clean[2]")


@pytest.mark.parametrize(
    ("arguments", "result"),
    [
        (("-p", "n=3", "-p", "top=1"), 4),
        (("--", "--n", "3", "--top=1"), 4),
        (("-p", "n=9", "--", "--n", "3", "--top", "1"), 4),
    ],
)
def test_parameters_are_given_by_p_or_after_two_dashes_which_win(
    tmp_path: Path, arguments: tuple[str, ...], result: int
) -> None:
    done = actorflow("run", write(tmp_path, dags.ADD), *arguments, cwd=tmp_path)

    assert done.answer == result


def test_the_dags_own_help_lists_types_defaults_and_the_docstring(tmp_path: Path) -> None:
    done = actorflow("run", write(tmp_path, dags.ADD), "--", "--help", cwd=tmp_path)

    assert done.code == 0
    assert "Usage: actorflow run etl.py -- [OPTIONS]" in done.out
    assert "Add up the largest numbers." in done.out
    assert "--n int " in done.out
    assert "how many numbers there are" in done.out
    assert "[default: 5]" in done.out
    assert "--full / --no-full" in done.out
    assert done.out.count("how many of them are added") == 1


def test_a_dag_is_named_after_a_colon(tmp_path: Path) -> None:
    text = dags.ADD + "\n@dag\ndef other() -> int:\n    return total(double.map([1]), 1)\n"
    done = actorflow("run", f"{write(tmp_path, text)}:other", cwd=tmp_path)

    assert done.answer == 2


def test_a_profile_changes_the_executor_and_not_the_file(tmp_path: Path) -> None:
    (tmp_path / "actorflow.toml").write_text('[profile.debug]\nexecutor = "inline"\nstore = "elsewhere"\n')
    done = actorflow("run", write(tmp_path, dags.ADD), "--profile", "debug", "--json", cwd=tmp_path)
    started = done.events[0]

    assert started["executor"] == "inline"
    assert {task["executor"] for task in started["tasks"]} == {"inline"}
    assert list((tmp_path / "elsewhere" / "runs").glob("*.sqlite"))


def test_a_profile_may_name_the_executor_of_one_step(tmp_path: Path) -> None:
    (tmp_path / "actorflow.toml").write_text('[profile.x.tasks]\nwhere = "thread"\n')
    done = actorflow("run", write(tmp_path, dags.DEF_TASK), "--profile", "x", "--json", cwd=tmp_path)

    assert {task["name"]: task["executor"] for task in done.events[0]["tasks"]}["where"] == "thread"
    assert done.events[-1]["result"] is True


def test_flags_win_over_the_environment_and_that_over_the_profile(tmp_path: Path) -> None:
    (tmp_path / "actorflow.toml").write_text('[profile.x]\nstore = "from_profile"\nexecutor = "inline"\n')
    file = write(tmp_path, dags.ADD)
    actorflow("run", file, "--profile", "x", cwd=tmp_path)
    actorflow("run", file, "--profile", "x", cwd=tmp_path, env={"ACTORFLOW_STORE": "from_env"})
    flagged = actorflow(
        "run", file, "--profile", "x", "--store", "from_flag", "--executor", "async", "--json",
        cwd=tmp_path, env={"ACTORFLOW_STORE": "from_env"},
    )  # fmt: skip

    found = {
        name: len(list((tmp_path / name / "runs").glob("*.sqlite")))
        for name in ("from_profile", "from_env", "from_flag")
    }
    assert found == {"from_profile": 1, "from_env": 1, "from_flag": 1}
    assert flagged.events[0]["executor"] == "async"


def test_a_plain_def_runs_in_a_process_of_its_own_and_leaves_none_behind(tmp_path: Path) -> None:
    done = actorflow("run", write(tmp_path, dags.DEF_TASK), "--workers", "1", cwd=tmp_path)

    assert done.code == 0
    assert done.answer is False


def test_inline_says_what_it_does_not_enforce(tmp_path: Path) -> None:
    text = dags.DEF_TASK.replace("@task\ndef where", '@task(timeout="30s", memory="256MiB")\ndef where')
    done = actorflow("run", write(tmp_path, text), "--executor", "inline", cwd=tmp_path)

    assert done.answer is True
    assert "note inline does not enforce: memory of where, timeout of where" in done.err


def test_a_reader_that_goes_away_does_not_end_the_run(tmp_path: Path) -> None:
    file = write(tmp_path, dags.ADD)
    with subprocess.Popen(
        [sys.executable, "-m", "actorflow", "run", file, "-p", "n=200", "--json"],
        cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        process.stdout.close()
        assert process.stderr is not None
        errors = process.stderr.read()

    assert process.returncode == 0, errors
    assert actorflow("show", first["run_id"], "--json", cwd=tmp_path).answer["status"] == "succeeded"


def test_events_come_while_the_run_goes_on(tmp_path: Path) -> None:
    with going("run", write(tmp_path, dags.WAITING), cwd=tmp_path) as run:
        run.until("attempt_started", task="wait", map_index=2)

        assert run.process.poll() is None


def test_a_debugger_works_on_an_inline_run(tmp_path: Path) -> None:
    file = write(tmp_path, dags.BREAKPOINT)
    done = actorflow("run", file, "--executor", "inline", cwd=tmp_path, typed="p ('doubled is', doubled)\nc\n")

    assert done.code == 0
    assert done.answer == 42
    assert "('doubled is', 42)" in done.err


@pytest.mark.parametrize(
    ("redirection", "code", "words"),
    [
        (">&-", 0, "succeeded in"),
        ("2>&-", 0, ""),
        ("<&-", 0, "succeeded in"),
        (">/dev/full", 1, "error: the result could not be written"),
    ],
)
def test_a_stream_that_is_closed_or_full_does_not_confuse_the_run(
    tmp_path: Path, redirection: str, code: int, words: str
) -> None:
    command = [sys.executable, "-m", "actorflow", "run", write(tmp_path, dags.ADD)]
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {redirection}', "sh", *command],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert actorflow("runs", "--json", cwd=tmp_path).answer["runs"][0]["status"] == "succeeded"


BESIDE_JSON = """
from actorflow import dag, task

@task
def one() -> int:
    return 1

@dag
def flow() -> int:
    return one()
"""


def test_a_file_beside_the_dag_that_is_named_like_a_stdlib_module_does_not_break_the_workers(tmp_path: Path) -> None:
    folder = tmp_path / "beside"
    folder.mkdir()
    (folder / "json.py").write_text("raise RuntimeError('not for actorflow')")
    (folder / "flow.py").write_text(BESIDE_JSON)

    done = actorflow("run", "beside/flow.py", cwd=tmp_path)

    assert (done.code, done.out) == (0, "1\n"), done.err


def test_a_run_may_be_given_its_id_and_is_the_last_whatever_that_is(tmp_path: Path) -> None:
    (tmp_path / "etl.py").write_text(dags.ADD)

    named = actorflow("run", "etl.py", "--run-id", "zz.nightly-7", "--json", cwd=tmp_path)
    later = actorflow("run", "etl.py", "--run-id", "aa", cwd=tmp_path)

    assert named.events[0]["run_id"] == "zz.nightly-7"
    assert later.code == 0
    assert actorflow("show", "@last", "--json", cwd=tmp_path).answer["run_id"] == "aa"
    assert [run["run_id"] for run in actorflow("runs", "--json", cwd=tmp_path).answer["runs"]] == ["aa", "zz.nightly-7"]


@pytest.mark.parametrize("name", ["", "../up", "@last", "a b", "x" * 65, "-x", "ä"])
def test_an_id_that_cannot_be_one_is_refused_before_anything_is_loaded(name: str, tmp_path: Path) -> None:
    refused = actorflow("run", "etl.py", f"--run-id={name}", cwd=tmp_path)

    assert refused.code == 2
    assert f"--run-id {name}: no name that a run can have" in refused.err
    assert "help: use up to 64 letters" in refused.err
    assert not (tmp_path / ".actorflow").exists()


def test_an_id_that_is_taken_is_refused(tmp_path: Path) -> None:
    (tmp_path / "etl.py").write_text(dags.ADD)
    actorflow("run", "etl.py", "--run-id", "nightly", cwd=tmp_path)

    refused = actorflow("run", "etl.py", "--run-id", "nightly", cwd=tmp_path)

    assert refused.code == 2
    assert "--run-id nightly: there is a run of that id" in refused.err
    assert "actorflow resume nightly" in refused.err
