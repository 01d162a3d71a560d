"""Which process owns a run, named so that a later process of the same number is not taken for it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Owner:
    """A process. started: when it began, in whatever form this system tells; "" if it does not. host: which machine,
    since when it is up: process numbers mean nothing elsewhere or after a reboot."""

    pid: int
    started: str
    host: str


def current_owner() -> Owner:
    """This process."""
    return Owner(os.getpid(), _started(os.getpid()) or "", _host())


def is_alive(owner: Owner) -> bool:
    """False if that process has certainly ended. True for one on another machine, which cannot be seen from here."""
    if not _same_machine(owner.host):
        return True
    if owner.host != _host():
        return False  # this machine was started again since
    started = _started(owner.pid)
    return started is not None and (started == owner.started or not owner.started)


def _same_machine(host: str) -> bool:
    return host.partition("/")[0] == _host().partition("/")[0]


@lru_cache(maxsize=1)
def _host() -> str:
    """`name/boot`; the second part is empty where the system has no number for each start."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        boot = ""
    return f"{os.uname().nodename}/{boot}"


def _started(pid: int) -> str | None:
    """When process `pid` began; None if there is no such process, or only what is left of one that has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except FileNotFoundError:
        return _started_elsewhere(pid) if not Path("/proc/self/stat").exists() else None
    except OSError:
        return None
    # The name, in brackets, may hold anything; the state follows it, and the start time is 19 fields further on.
    fields = stat[stat.rindex(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else fields[19].decode()


def _started_elsewhere(pid: int) -> str | None:
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else str(process.create_time())
    except psutil.NoSuchProcess:
        return None
