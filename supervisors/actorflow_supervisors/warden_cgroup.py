"""Warden cgroup: a memory limit of the kernel's for one process tree, where this system lets us make one (cgroup v2).

The tree gets a group of its own, a leaf, when it gets a quota. Above that the kernel takes file pages back, then kills
all of the leaf at once: nothing is overshot between two samples. What a process held before it joined is charged where
it was, so the samples go on beside it and blame for what the leaf does not see.

Where leaves are made, the first of these that hands memory down and may be written:

| folder | when |
|---|---|
| what `ACTORFLOW_CGROUP` names | that or none, where it is set |
| the group of this process | |
| the group above it | a group with processes of its own cannot hand memory down |

Standard library only. Source: the kernel's Documentation/admin-guide/cgroup-v2.rst.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Sequence

VARIABLE = "ACTORFLOW_CGROUP"
PREFIX = "actorflow-"
"""Of a leaf: then the pid of its warden, then a number."""

NO_GROUPS = "no cgroup v2 is mounted here"
NO_MEMORY = "cgroup {folder} has no memory controller: cgroup v1 holds it, or it is not delegated"
NOT_HANDED_DOWN = (
    "cgroup {folder} does not hand memory down: start in a delegated scope, or name one in ACTORFLOW_CGROUP"
)
NOT_WRITABLE = "cgroup {folder} may not be written: start in a delegated scope, or name one in ACTORFLOW_CGROUP"


def folders(mountinfo: str, own: str, given: str) -> list[str]:
    """Where leaves might be made, best first.

    mountinfo: the text of /proc/self/mountinfo. own: of /proc/self/cgroup. given: of the environment, "" for nothing.
    """
    if given:
        return [given]
    path = next((entry[3:] for entry in own.splitlines() if entry.startswith("0::")), None)
    for entry in mountinfo.splitlines():
        before, _, after = entry.partition(" - ")
        if path is None or after.split()[0] != "cgroup2":
            continue
        root, point = (field.replace("\\040", " ") for field in before.split()[3:5])
        below = path if root == "/" else path.removeprefix(root)
        if root != "/" and below == path:  # mounted is another part of the hierarchy
            continue
        nearest = point + below.rstrip("/")
        return [nearest] if nearest == point else [nearest, os.path.dirname(nearest)]
    return []


def why_not(folder: str) -> str:
    """Why no leaf can be made in `folder`, for people; "" where one can."""
    if "memory" not in _words(folder, "cgroup.controllers"):
        return NO_MEMORY.format(folder=folder)
    if "memory" not in _words(folder, "cgroup.subtree_control"):
        return NOT_HANDED_DOWN.format(folder=folder)
    if not all(os.access(path, os.W_OK) for path in (folder, os.path.join(folder, "cgroup.procs"))):
        return NOT_WRITABLE.format(folder=folder)
    return ""


def chosen(candidates: Sequence[str]) -> tuple[str, str]:
    """The first folder where leaves can be made, "" for none; and why none can."""
    problems = [(folder, why_not(folder)) for folder in candidates]
    for folder, problem in problems:
        if not problem:
            return folder, ""
    return "", problems[0][1] if problems else NO_GROUPS


def found_here() -> tuple[str, str]:
    """`chosen` for this process."""
    try:
        with open("/proc/self/mountinfo") as mounts, open("/proc/self/cgroup") as own:
            return chosen(folders(mounts.read(), own.read(), os.environ.get(VARIABLE, "")))
    except OSError:
        return "", NO_GROUPS


class Leaf:
    """The group of one tree."""

    def __init__(self, folder: str, make: Callable[[str], None] = os.mkdir) -> None:
        """Makes it. make: what the kernel answers with the files of a group. Raises OSError."""
        make(folder)
        self.folder = folder
        self._kills_before = 0

    def hold(self, quota_bytes: int | None) -> None:
        """From now on, the quota that counts; a kill from now on is its. Raises OSError."""
        self._kills_before = self._kills()
        self._write("memory.max", "max" if quota_bytes is None else str(quota_bytes))
        for name, value in (("memory.swap.max", "0"), ("memory.oom.group", "1")):
            with contextlib.suppress(OSError):  # a kernel without them
                self._write(name, value)

    def join(self, pids: Iterable[int]) -> None:
        """These, and what they start from now on, belong to it. Raises OSError."""
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                self._write("cgroup.procs", str(pid))

    @property
    def has_killed(self) -> bool:
        """The kernel has killed it for its memory, since the quota was set."""
        return self._kills() > self._kills_before

    @property
    def peak_bytes(self) -> int:
        """The most that it held; 0 where the kernel does not say."""
        words = _words(self.folder, "memory.peak")
        return int(words[0]) if words else 0

    def kill(self) -> None:
        """SIGKILL to all of it at once, also to what is just being forked; nothing where the kernel cannot."""
        with contextlib.suppress(OSError):
            self._write("cgroup.kill", "1")

    def remove(self) -> None:
        """Stays where something in it does."""
        with contextlib.suppress(OSError):
            os.rmdir(self.folder)

    def _kills(self) -> int:
        words = _words(self.folder, "memory.events")
        return int(words[words.index("oom_kill") + 1]) if "oom_kill" in words else 0

    def _write(self, name: str, text: str) -> None:
        descriptor = os.open(os.path.join(self.folder, name), os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)


class Groups:
    """The leaves of one warden.

    folder: where they are made, "" for nowhere; by default what is found here. make: see `Leaf`.
    """

    def __init__(self, folder: str | None = None, make: Callable[[str], None] = os.mkdir) -> None:
        self._folder = folder
        self._make = make
        self._leaves: list[Leaf] = []

    def leaf(self, number: int, quota_bytes: int, pids: Iterable[int]) -> Leaf | None:
        """One that holds these processes to a quota; None where the system does not let us make it."""
        if self._folder is None:
            self._folder, _ = found_here()
            self._sweep()
        if not self._folder:
            return None
        leaf: Leaf | None = None
        try:
            leaf = Leaf(os.path.join(self._folder, f"{PREFIX}{os.getpid()}-{number}"), self._make)
            leaf.hold(quota_bytes)
            leaf.join(pids)
        except OSError:  # more was refused than could be seen before: samples hold the quota
            if leaf is not None:
                leaf.remove()
            return None
        self._leaves.append(leaf)
        return leaf

    def forget(self, leaf: Leaf) -> None:
        """Nothing lives in it any more."""
        leaf.remove()
        self._leaves.remove(leaf)

    def close(self) -> None:
        """At the end of the warden."""
        for leaf in self._leaves:
            leaf.remove()
        self._leaves.clear()

    def _sweep(self) -> None:
        """Remove what wardens that were killed have left."""
        names = os.listdir(self._folder) if self._folder else ()
        for name in names:
            pid = name.removeprefix(PREFIX).partition("-")[0]
            if name.startswith(PREFIX) and pid.isdecimal() and not os.path.exists(f"/proc/{pid}"):
                with contextlib.suppress(OSError):
                    os.rmdir(os.path.join(str(self._folder), name))


def _words(folder: str, name: str) -> list[str]:
    """The text of a file of a group; nothing where it has none."""
    try:
        with open(os.path.join(folder, name)) as file:
            return file.read().split()
    except OSError:
        return []
