"""A disk that fills up during a run is told while it is full, and when there is room again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.faults.leaks import leak_audit as leak_audit

DAG = """
import os, threading
from pathlib import Path
from actorflow import dag, task

def empty(pipe: str, filler: Path) -> None:
    open(pipe).close()
    filler.unlink()

@task
async def fills(pipe: str) -> str:
    filler = Path("disk/filler")
    threading.Thread(target=empty, args=(pipe, filler), daemon=True).start()
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return "x" * 40_000

@task
async def after(text: str) -> int:
    return len(text)

@dag
def main(pipe: str) -> int:
    return after(fills(pipe))
"""


def test_a_full_disk_is_told_while_it_is_full_and_the_run_goes_on_when_there_is_room(
    tmp_path: Path, leak_audit: None
) -> None:
    (tmp_path / "dag.py").write_text(DAG)
    (tmp_path / "disk").mkdir()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    command = f"mount -t tmpfs -o size=1m none disk && exec {sys.executable} -m actorflow run dag.py --store disk/store"
    argv = ["unshare", "--map-root-user", "--mount", "sh", "-c", f"{command} -p pipe={pipe}"]
    run = subprocess.Popen(argv, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert run.stderr is not None
    told: list[str] = []
    for line in run.stderr:
        told.append(line)
        if "store full: nothing starts" in line:
            pipe.open("w").close()

    with run:
        assert run.stdout is not None
        assert run.stdout.read() == "40000\n", "".join(told)
    assert run.returncode == 0
    assert any("there is room again" in line for line in told)
