"""Runs whose workers, warden and supervisor are killed, in any combination, end as if nobody had been (F2, F3, F7)."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from random import Random

import psutil
import pytest

from tests.faults.held_flow import INSTANCES, Held, held, wait_until_gone
from tests.faults.leaks import carriers, leak_audit
from tests.faults.processes import is_gone

__all__ = ["leak_audit"]

BACKENDS = ["asyncio", "trio"]

pytestmark = pytest.mark.usefixtures("leak_audit")


def all_of_the_run() -> list[int]:
    """Every process that the test started, and what they started."""
    mark = next(name for name in os.environ if name.startswith("ACTORFLOW_AUDIT_"))
    return [pid for pid in carriers(mark) if pid != os.getpid()]


def kill_workers_at_random(run: Held, rng: Random) -> int:
    """One run, whose workers are killed at work; an instance loses two at most. Returns how many were killed."""
    with run.going("run") as process:
        while at_work := run.next(process):
            number, pid = at_work
            if run.killed[number] < 2 and rng.random() < 0.4:
                run.killed[number] += 1
                os.kill(pid, signal.SIGKILL)
            else:
                run.let_go(number)
        assert process.wait() == 0, (run.folder / "errors").read_text()
    run.check()
    return run.killed.total()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_run_whose_workers_are_killed_at_random_redoes_what_they_were_at_and_nothing_else(
    tmp_path: Path, backend: str
) -> None:
    with held(tmp_path, "--workers", "3", "--backend", backend) as run:
        kills = kill_workers_at_random(run, Random(5))

    assert kills > 0


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_hundreds_of_killed_workers_cost_nothing_else(tmp_path: Path, backend: str, scale: int) -> None:
    rng, kills, runs = Random(6), 0, 0
    while kills < 100 * scale:
        folder = tmp_path / str(runs)
        folder.mkdir()
        with held(folder, "--workers", "3", "--backend", backend) as run:
            kills += kill_workers_at_random(run, rng)
        runs += 1

    print(f"{kills} workers killed in {runs} runs of {INSTANCES} tasks; each cost the attempt that it was at")


ROLES = ["supervisor", "warden", "worker", "other worker"]


class Killing:
    """A run of two workers, of whose processes some are killed as soon as both are at work on something new."""

    def __init__(self, run: Held, rng: Random) -> None:
        self.run = run
        self.rng = rng
        self.kills = 0
        self.command = "run"

    def to_the_end(self) -> int:
        """How many processes were killed on the way."""
        while not self._one_life():
            self.run.forget()
            self.command = "resume"
        self.run.check()
        return self.kills

    def _one_life(self) -> bool:
        """True if the command came to its end; False if it was killed."""
        fresh: dict[int, int] = {}
        with self.run.going(self.command) as process:
            while at_work := self.run.next(process):
                number, pid = at_work
                if self.run.killed[number]:
                    self.run.let_go(number)
                    continue
                fresh[number] = pid
                if len(fresh) < 2:
                    continue
                if self._kill_some(process, fresh):
                    return False
                fresh.clear()
            assert process.wait() == 0, (self.run.folder / "errors").read_text()
            return True

    def _kill_some(self, process: subprocess.Popen[bytes], fresh: dict[int, int]) -> bool:
        """True if the supervisor was among them."""
        workers = list(fresh.values())
        pids = dict(zip(ROLES, [process.pid, psutil.Process(workers[0]).ppid(), *workers], strict=True))
        victims = self.rng.sample(ROLES, self.rng.randrange(3))
        everything = all_of_the_run()
        holds_still = (
            "warden" in victims and "supervisor" not in victims
        )  # or it hands out more in between, unseen here
        if holds_still:
            process.send_signal(signal.SIGSTOP)
        for victim in victims:
            if not is_gone(pids[victim]):  # the one before it may have taken it along
                os.kill(pids[victim], signal.SIGKILL)
                self.kills += 1
        if holds_still:
            process.send_signal(signal.SIGCONT)
        if "supervisor" in victims:
            process.wait()
            wait_until_gone([*everything, *all_of_the_run()])
            self._note_lost(fresh)
            return True
        if "warden" in victims:
            wait_until_gone(workers)
        for number, pid in fresh.items():
            if "warden" in victims or pid in [pids[victim] for victim in victims]:
                self.run.killed[number] += 1
            else:
                self.run.let_go(number)
        return False

    def _note_lost(self, fresh: dict[int, int]) -> None:
        """All that has begun and is not on disk."""
        committed, effects = self.run.committed(), self.run.effects()
        assert not committed & set(fresh)
        for number in set(effects) - committed:
            self.run.killed[number] = effects.count(number)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_run_whose_processes_are_killed_in_random_pairs_is_resumed_to_the_same_end(
    tmp_path: Path, backend: str
) -> None:
    with held(tmp_path, "--workers", "2", "--backend", backend) as run:
        kills = Killing(run, Random(9)).to_the_end()

    assert kills > 0


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_hundreds_of_random_pairs_leave_nothing_and_lose_nothing(tmp_path: Path, backend: str, scale: int) -> None:
    rng, kills, runs = Random(10), 0, 0
    while kills < 100 * scale:
        folder = tmp_path / str(runs)
        folder.mkdir()
        with held(folder, "--workers", "2", "--backend", backend) as run:
            kills += Killing(run, rng).to_the_end()
        runs += 1

    print(f"{kills} supervisors, wardens and workers killed in {runs} runs of {INSTANCES} tasks; nothing was lost")


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_worker_that_is_held_by_a_signal_is_replaced_and_does_not_come_back(tmp_path: Path, backend: str) -> None:
    with held(tmp_path, "--workers", "1", "--backend", backend) as run, run.going("run") as process:
        first = run.next(process)
        assert first is not None
        os.kill(first[1], signal.SIGSTOP)
        run.killed[first[0]] = 1
        again = run.next(process)
        assert again is not None
        gone = is_gone(first[1])  # so that SIGCONT has nobody to wake
        run.let_go(again[0])
        while at_work := run.next(process):
            run.let_go(at_work[0])
        assert process.wait() == 0
        run.check()

    assert gone
    assert again[1] != first[1]
