"""actorflow inside other programs: a real web server asked over loopback, a trio program, and the guide to both."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from actorflow.runs.states import RunStatus
from actorflow.runs.store import SqliteStore

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "examples"
GUIDE = (ROOT / "docs" / "embedding.md").read_text()
BLOCKS: list[str] = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
DEADLINE_S = 100.0


class Service:
    """The Starlette example as a running process, and a client of it."""

    def __init__(self, process: subprocess.Popen[str], errors: str, client: httpx.Client) -> None:
        self.process = process
        self.client = client
        self._errors = errors

    def health(self) -> Any:
        return self.client.get("/health").raise_for_status().json()

    def post(self, path: str, *, code: int = 200) -> Any:
        answer = self.client.post(path)
        assert answer.status_code == code, answer.text
        return answer.json()

    def stop(self) -> tuple[int, str, str]:
        """Ask it to end, as an operator would. Returns its exit code, stdout and stderr."""
        self.process.send_signal(signal.SIGTERM)
        out, errors = self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode, out, self._errors + errors


@contextmanager
def serving(folder: Path) -> Generator[Service]:
    """The service on a free port, once it takes requests."""
    process = subprocess.Popen(
        [sys.executable, str(EXAMPLES / "embed_starlette.py"), "--port", "0"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            errors, address = until_address(process)
            with httpx.Client(base_url=address, timeout=DEADLINE_S, trust_env=False) as client:
                yield Service(process, errors, client)
        finally:
            process.kill()


def until_address(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What the server has written up to the line with its address, and that address."""
    assert process.stderr is not None
    errors = ""
    for line in process.stderr:
        errors += line
        found = re.search(r"running on (http://127\.0\.0\.1:\d+)", line)
        if found is not None:
            return errors, found[1]
    raise AssertionError(f"the service ended before it served: {errors}")


def test_the_actors_of_a_service_start_and_stop_with_it(tmp_path: Path) -> None:
    with serving(tmp_path) as service:
        health = service.health()
        counts = [service.post("/visits")["visits"] for _ in range(3)]
        code, out, errors = service.stop()

    (counter,) = health["actors"]
    assert health["healthy"]
    assert (counter["path"], counter["state"], counter["incarnation"]) == ("counter", "running", 1)
    assert counts == [1, 2, 3]
    assert out.splitlines()[-1] == "counter: stopped after 3 visits"
    assert "Application shutdown complete" in errors
    assert "Traceback" not in errors
    assert code in (0, -signal.SIGTERM)  # uvicorn ends by the signal that stopped it, once all is done


def test_health_shows_that_a_crashed_actor_was_restarted(tmp_path: Path) -> None:
    with serving(tmp_path) as service:
        service.post("/visits")
        failure = service.post("/failures", code=500)
        visits = service.post("/visits")["visits"]
        (counter,) = service.health()["actors"]

    assert "told to fail" in failure["error"]
    assert visits == 1
    assert (counter["state"], counter["incarnation"], counter["restarts"]) == ("running", 2, 1)
    assert counter["last_exit"] == "crashed: RuntimeError: told to fail"


def test_health_says_so_when_an_actor_has_used_up_its_restarts(tmp_path: Path) -> None:
    with serving(tmp_path) as service:
        answers: list[int] = []
        while not answers or answers[-1] == 200:
            service.client.post("/failures")
            answers.append(service.client.get("/health").status_code)

    assert answers[-1] == 503
    assert 200 in answers


def test_a_request_runs_a_pipeline_that_is_journalled_like_any_other(tmp_path: Path) -> None:
    with serving(tmp_path) as service:
        answer = service.post("/totals?count=5")
        code, _, _ = service.stop()

    (run,) = SqliteStore(tmp_path / ".actorflow").runs()
    assert answer == {"run_id": run.run_id, "total": 55}
    assert (run.dag, run.status) == ("totals", RunStatus.succeeded)
    assert code in (0, -signal.SIGTERM)


def test_the_trio_program_keeps_its_gauge_alive_and_runs_its_pipeline(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "embed_trio.py")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )

    assert done.returncode == 0, done.stderr
    headings, gatherer, restarts, run, last = done.stdout.splitlines()
    assert headings.split()[0] == "ACTOR"
    assert gatherer.split()[:2] == ["gatherer", "running"]
    assert restarts == "restarts of the gauge: 2"
    assert run.endswith(": 30 above the limit")
    assert last == "everything has stopped"
    assert done.stderr.count("ConnectionError: lost the gauge") >= 2


@pytest.mark.parametrize("block", BLOCKS, ids=[f"block {number}" for number in range(1, len(BLOCKS) + 1)])
def test_each_block_of_the_guide_stands_in_an_example(block: str) -> None:
    examples = [lines_of((EXAMPLES / f"{name}.py").read_text()) for name in ("embed_starlette", "embed_trio")]

    assert any(lines_of(block) in example for example in examples)


def lines_of(text: str) -> str:
    """Without empty lines, which a guide may leave out."""
    return "\n".join(line for line in text.splitlines() if line.strip())


def test_the_guide_shows_every_part_and_names_both_files() -> None:
    assert len(BLOCKS) >= 5
    assert all(f"examples/{name}.py" in GUIDE for name in ("embed_starlette", "embed_trio"))
