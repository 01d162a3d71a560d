"""A run whose program is killed leaves nothing that its code in the loop had started by itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.faults.leaks import leak_audit as leak_audit

pytestmark = pytest.mark.usefixtures("leak_audit")

DAG = """
import os, signal, subprocess
from actorflow import dag, task

@task
async def starts(pipe: str) -> int:
    code = "import os, signal; os.fork() and os._exit(0); signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    code += f"os.write(os.open({pipe!r}, os.O_WRONLY), str(os.getpid()).encode()); signal.pause()"
    subprocess.Popen(["PYTHON", "-I", "-S", "-c", code], start_new_session=True)
    signal.pause()
    return 0

@dag
def main(pipe: str) -> int:
    return starts(pipe)
"""


def test_7_what_a_killed_parent_had_started_ends_with_it_though_it_left_its_session(tmp_path: Path) -> None:
    (tmp_path / "dag.py").write_text(DAG.replace("PYTHON", sys.executable))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR)  # a reader alone would see the end before the first writer came
    argv = [sys.executable, "-m", "actorflow", "run", "-q", "dag.py", "-p", f"pipe={pipe}"]
    run = subprocess.Popen(argv, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        started = psutil.Process(int(os.read(reader, 20)))
    finally:
        run.kill()
        run.wait()
        os.close(reader)

    started.wait(timeout=30)  # a guard against a hang: a process that is no child of ours ends by itself or never
    assert not started.is_running()
