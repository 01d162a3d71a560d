"""Bad input: exit 2, nothing ran, and a message that says what, where and how to mend it. In words and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli import dags
from tests.cli.shell import actorflow

HEAD = "from actorflow import dag, task\n\n@task\nasync def one(n: int) -> int:\n    return n\n\n"


@dataclass(frozen=True)
class Bad:
    """A file, the arguments after its name, and what the message must say."""

    text: str | None
    words: tuple[str, ...]
    code: str | None
    arguments: tuple[str, ...] = ()


CYCLE = """
@dag
def a() -> int:
    x = one.options(name="x", after=["y"])(1)
    y = one.options(name="y", after=["x"])(2)
    return y
"""
MISMATCH = """
@task
async def total(xs: list[str]) -> int:
    return 1

@dag
def a() -> int:
    return total(one(1))
"""
TRUTH = """
@dag
def a() -> int:
    if one(1):
        return one(2)
    return one(3)
"""
THREAD = """
import threading

@task
async def thread() -> threading.Thread:
    return threading.Thread()

@dag
def a() -> threading.Thread:
    return thread()
"""
TWO_DAGS = """
@dag
def a() -> int:
    return one(1)

@dag
def b() -> int:
    return one(1)
"""
NO_DATABASE = "x = 1\nraise RuntimeError('no database')\n"
NEEDS_N = dags.ADD.replace("n: int = 5", "n: int")

ROWS = {
    "no such file": Bad(None, ("there is no file etl.py",), "AF001"),
    "syntax error": Bad("def broken(:\n    pass\n", ("etl.py:1",), "AF002"),
    "exception at import": Bad(NO_DATABASE, ("etl.py:2", "RuntimeError", "no database"), "AF003"),
    "exit at import": Bad("import sys\nsys.exit(0)\n", ("etl.py:2", "SystemExit"), "AF003"),
    "no dag in the file": Bad("x = 1\n", ("there is no dag in etl.py", "@dag"), "AF004"),
    "several dags": Bad(HEAD + TWO_DAGS, ("a, b", "etl.py:a"), "AF005"),
    "unknown parameter": Bad(dags.ADD, ("no parameter `topp`", "did you mean `top`?"), "AF030", ("-p", "topp=3")),
    "unknown option of its own": Bad(dags.ADD, ("--topp", "did you mean `--top`?"), None, ("--", "--topp", "3")),
    "ill-typed value": Bad(dags.ADD, ("parameter `top` takes `int`", "'many'"), "AF031", ("-p", "top=many")),
    "missing value": Bad(NEEDS_N, ("parameter `n: int` has no value", "-p n="), "AF032"),
    "cycle": Bad(HEAD + CYCLE, ("x", "y"), "AF020"),
    "type mismatch on an edge": Bad(HEAD + MISMATCH, ("list[str]", "int", "etl.py:"), "AF013"),
    "unresolved output used as a value": Bad(HEAD + TRUTH, ("etl.py:10", "if one(1):"), "AF014"),
    "a return annotation that cannot be encoded": Bad(HEAD + THREAD, ("Thread",), "AF016"),
    "unknown executor": Bad(dags.ADD, ("no executor `proces`", "process"), "AF042", ("--executor", "proces")),
    "no number of CPUs": Bad(dags.ADD, ("--max-cpus", "nan is no finite number"), None, ("--max-cpus", "nan")),
    "unknown profile": Bad(dags.ADD, ("--profile", "actorflow.toml"), None, ("--profile", "ci")),
}


@pytest.mark.parametrize("bad", ROWS.values(), ids=ROWS.keys())
def test_bad_input_is_refused_with_words_that_mend_it(bad: Bad, tmp_path: Path) -> None:
    if bad.text is not None:
        (tmp_path / "etl.py").write_text(bad.text)

    done = actorflow("run", "etl.py", *bad.arguments, cwd=tmp_path)

    assert done.code == 2
    assert done.out == ""
    assert [word for word in bad.words if word not in done.err] == []
    assert (f"error[{bad.code}]" if bad.code else "error:") in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / ".actorflow").exists()


@pytest.mark.parametrize("bad", ROWS.values(), ids=ROWS.keys())
def test_bad_input_as_json_is_one_line_with_the_same_fault(bad: Bad, tmp_path: Path) -> None:
    if bad.text is not None:
        (tmp_path / "etl.py").write_text(bad.text)

    done = actorflow("run", "etl.py", "--json", *bad.arguments, cwd=tmp_path)
    (event,) = done.events

    assert done.code == 2
    assert done.err == ""
    assert (event["type"], event["exit_code"]) == ("error", 2)
    assert event["faults"][0]["code"] == bad.code


@pytest.mark.parametrize("command", ["validate", "graph", "plan"])
def test_a_broken_file_is_refused_by_every_command_that_reads_one(command: str, tmp_path: Path) -> None:
    (tmp_path / "etl.py").write_text(ROWS["type mismatch on an edge"].text or "")

    done = actorflow(command, "etl.py", cwd=tmp_path)

    assert done.code == 2
    assert "error[AF013]" in done.err


def test_all_faults_of_a_file_are_listed_at_once(tmp_path: Path) -> None:
    text = HEAD + "@dag\ndef a() -> int:\n    x = one('no int')\n    y = one('nor this')\n    return one(x)\n"
    (tmp_path / "etl.py").write_text(text)

    done = actorflow("validate", "etl.py", cwd=tmp_path)

    assert done.err.count("error[AF013]") == 2
    assert "etl.py:9" in done.err
    assert "etl.py:10" in done.err
    assert done.err.splitlines()[-1] == "2 faults; nothing ran"


def test_a_store_that_cannot_be_written_is_refused_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "etl.py").write_text(dags.ADD)
    (tmp_path / "store").write_text("a file stands where the store should be")

    done = actorflow("run", "etl.py", "--store", "store", cwd=tmp_path)

    assert done.code == 2
    assert "error: store" in done.err
    assert "help:" in done.err
    assert "Traceback" not in done.err


def test_a_value_that_cannot_be_encoded_fails_its_task_and_names_the_path_inside(tmp_path: Path) -> None:
    lock = HEAD.replace("-> int:\n    return n", "-> dict[str, object]:\n    return {'rows': [1, threading.Lock()]}")
    dag = "@dag\ndef a() -> dict[str, object]:\n    return one(1)\n"
    (tmp_path / "etl.py").write_text(f"import threading\n{lock}{dag}")

    done = actorflow("run", "etl.py", cwd=tmp_path)

    assert done.code == 1
    assert "its result cannot be stored" in done.err
    assert "rows" in done.err
