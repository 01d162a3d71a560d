"""The kernel's memory limit for a tree: where it can be had, what is written for it, and what it tells afterwards.

The files of a group are a folder's that stands in for the kernel. What is real is the group of processes, where this
system lets us make one: joining it, the kill of all of it, and its removal.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actorflow_supervisors.warden_cgroup import Groups, Leaf, chosen, folders
from actorflow_supervisors.warden_memory import TreeMemory
from actorflow_supervisors.warden_tree import Tree

MIB = 1 << 20
HOST = "29 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
HYBRID = (
    "30 24 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "31 24 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
)
CONTAINER = "40 24 0:26 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup rw\n"


@pytest.mark.parametrize(
    ("mounts", "own", "given", "expected"),
    [
        (HOST, "0::/user/app.slice/x.scope\n", "", ["/user/app.slice/x.scope", "/user/app.slice"]),
        (HOST, "0::/\n", "", [""]),
        (HYBRID, "4:memory:/y\n0::/a\n", "", ["/unified/a", "/unified"]),
        (CONTAINER, "0::/docker/abc/worker\n", "", ["/worker", ""]),
        (CONTAINER, "0::/other\n", "", None),
        ("22 28 0:20 / /proc rw - proc proc rw\n", "0::/\n", "", None),
        (HYBRID, "4:memory:/y\n", "", None),
    ],
)
def test_leaves_are_looked_for_in_our_group_then_above_it(
    mounts: str, own: str, given: str, expected: list[str] | None
) -> None:
    assert folders(mounts, own, given) == [f"/sys/fs/cgroup{path}" for path in expected or ()]


def test_a_folder_that_is_named_is_the_only_one() -> None:
    assert folders(HOST, "0::/x\n", "/sys/fs/cgroup/ours") == ["/sys/fs/cgroup/ours"]


def group(folder: Path, *, controllers: str = "cpu memory", handed_down: str = "memory") -> str:
    """A folder with the files of a group that may have leaves."""
    folder.mkdir(parents=True)
    for name, text in (("controllers", controllers), ("subtree_control", handed_down), ("procs", "")):
        (folder / f"cgroup.{name}").write_text(text)
    return str(folder)


def test_the_first_that_hands_memory_down_is_chosen(tmp_path: Path) -> None:
    ours = group(tmp_path / "ours", handed_down="")
    above = group(tmp_path / "above")

    assert chosen([ours, above]) == (above, "")


@pytest.mark.parametrize(
    ("controllers", "handed_down", "words"),
    [
        ("hugetlb", "", "has no memory controller: cgroup v1 holds it, or it is not delegated"),
        ("cpu memory", "cpu", "does not hand memory down: start in a delegated scope"),
    ],
)
def test_what_is_missing_is_said_of_our_own_group(
    tmp_path: Path, controllers: str, handed_down: str, words: str
) -> None:
    ours = group(tmp_path / "ours", controllers=controllers, handed_down=handed_down)
    above = group(tmp_path / "above", controllers="")

    folder, problem = chosen([ours, above])

    assert folder == ""
    assert problem.startswith(f"cgroup {ours} {words}")


def test_a_folder_that_may_not_be_written_is_not_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = group(tmp_path / "ours")

    def refused(path: str, mode: int) -> bool:
        return False

    monkeypatch.setattr(os, "access", refused)

    assert "may not be written" in chosen([ours])[1]


def test_without_cgroup_v2_that_is_said() -> None:
    assert chosen([]) == ("", "no cgroup v2 is mounted here")


# What is written and read.


def kernel(*missing: str) -> Callable[[str], None]:
    """Makes a folder with the files of a new leaf, all but those `missing`."""

    def make(folder: str) -> None:
        os.mkdir(folder)
        files = {"memory.max": "max", "memory.swap.max": "max", "memory.oom.group": "0", "memory.peak": "0"}
        files |= {"memory.events": "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n", "cgroup.procs": "", "cgroup.kill": ""}
        for name, text in files.items():
            if name not in missing:
                Path(folder, name).write_text(text)

    return make


@pytest.fixture
def leaf(tmp_path: Path) -> Leaf:
    return Leaf(str(tmp_path / "leaf"), kernel())


def content(leaf: Leaf, name: str) -> str:
    return Path(leaf.folder, name).read_text()


def test_a_quota_is_the_kernels_limit_without_swap_for_all_at_once(leaf: Leaf) -> None:
    leaf.hold(64 * MIB)
    leaf.join([4711])

    assert content(leaf, "memory.max").startswith(str(64 * MIB))
    assert content(leaf, "memory.swap.max").startswith("0")
    assert content(leaf, "memory.oom.group").startswith("1")
    assert content(leaf, "cgroup.procs") == "4711"


def test_no_quota_is_no_limit(leaf: Leaf) -> None:
    leaf.hold(None)

    assert content(leaf, "memory.max") == "max"


def test_a_kill_counts_for_the_quota_that_it_came_after(leaf: Leaf) -> None:
    Path(leaf.folder, "memory.events").write_text("oom 1\noom_kill 1\noom_group_kill 1\n")
    leaf.hold(64 * MIB)
    before = leaf.has_killed
    Path(leaf.folder, "memory.events").write_text("oom 2\noom_kill 2\noom_group_kill 2\n")

    assert not before
    assert leaf.has_killed


def test_a_kernel_that_is_older_holds_the_limit_all_the_same(tmp_path: Path) -> None:
    groups = Groups(str(tmp_path), kernel("memory.swap.max", "memory.oom.group", "memory.peak", "cgroup.kill"))

    leaf = groups.leaf(1, 64 * MIB, [4711])

    assert leaf is not None
    assert content(leaf, "memory.max").startswith(str(64 * MIB))
    assert leaf.peak_bytes == 0
    leaf.kill()


def test_what_is_refused_after_all_leaves_the_samples(tmp_path: Path) -> None:
    assert Groups(str(tmp_path), kernel("memory.max")).leaf(1, 64 * MIB, [4711]) is None
    assert Groups("").leaf(1, 64 * MIB, [4711]) is None


# The tree of a process.


class Loop:
    """What a tree asks of its warden. ended: cause and peak of those that have."""

    def __init__(self, groups: Groups) -> None:
        self.pid = os.getpid()
        self.groups = groups
        self.callbacks: dict[int, Callable[[], None]] = {}
        self.ended: list[tuple[str, int]] = []

    def now_s(self) -> float:
        return 0.0

    def is_root(self, pid: int) -> bool:
        return True

    def watch(self, fd: int, callback: Callable[[], None]) -> None:
        self.callbacks[fd] = callback

    def unwatch(self, fd: int) -> None:
        self.callbacks.pop(fd, None)

    def gone(self, tree: Tree) -> None:
        self.ended.append((tree.cause, tree.memory.peak_bytes))

    def hear(self) -> None:
        """Nobody says anything."""


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen([sys.executable, "-I", "-S", "-c", "import signal\nsignal.pause()"])
    yield child
    child.kill()
    child.wait()


@pytest.mark.parametrize(("events", "cause", "peak"), [("oom_kill 1\n", "memory", 64 * MIB), ("oom_kill 0\n", "", 0)])
def test_the_end_that_the_kernel_brought_for_memory_is_a_breach_with_its_peak(
    tmp_path: Path, child: subprocess.Popen[bytes], events: str, cause: str, peak: int
) -> None:
    loop = Loop(Groups(str(tmp_path), kernel()))
    tree = Tree(7, child.pid, b"MARK=1", loop)
    tree.memory.limit(64 * MIB, 0.0)
    leaf = tmp_path / f"actorflow-{os.getpid()}-7"
    (leaf / "memory.events").write_text(events)
    (leaf / "memory.peak").write_text(str(64 * MIB))
    child.kill()
    child.wait()

    loop.callbacks[tree.pidfd]()

    assert (leaf / "cgroup.procs").read_text() == str(child.pid)
    assert loop.ended == [(cause, peak)]
    assert (leaf / "cgroup.kill").read_text() == "1"


def test_a_peak_that_only_the_kernel_saw_counts_where_it_killed(tmp_path: Path, child: subprocess.Popen[bytes]) -> None:
    memory = TreeMemory(child.pid, Groups(str(tmp_path), kernel()), 3)
    memory.limit(64 * MIB, 0.0)
    leaf = tmp_path / f"actorflow-{os.getpid()}-3"
    (leaf / "memory.peak").write_text(str(64 * MIB))
    before = memory.peak_bytes
    (leaf / "memory.events").write_text("oom_kill 1\n")

    assert before == 0
    assert memory.was_killed
    assert memory.peak_bytes == 64 * MIB
    memory.end()


# Real groups.


def real_folder() -> str:
    """The cgroup v2 group of this process, where it may be written; "" for none."""
    found = folders(Path("/proc/self/mountinfo").read_text(), Path("/proc/self/cgroup").read_text(), "")
    usable = [folder for folder in found if os.access(os.path.join(folder, "cgroup.procs"), os.W_OK)]
    return usable[0] if usable else ""


def test_a_real_group_takes_a_process_in_kills_it_and_is_removed(child: subprocess.Popen[bytes]) -> None:
    """Where this system refuses us a group, the only promise is that it is not an error."""
    folder = real_folder()
    if not folder:
        assert Groups("/sys/fs/cgroup/refused").leaf(1, MIB, [child.pid]) is None
        return
    leaf = Leaf(os.path.join(folder, f"actorflow-{os.getpid()}-test"))
    try:
        leaf.join([child.pid])
        inside = Path(f"/proc/{child.pid}/cgroup").read_text()
        leaf.kill()
        status = child.wait()
    finally:
        leaf.remove()

    assert f"actorflow-{os.getpid()}-test\n" in inside
    assert status == -signal.SIGKILL
    assert not os.path.exists(leaf.folder)


def test_what_a_killed_warden_left_is_removed_by_the_next(
    monkeypatch: pytest.MonkeyPatch, child: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    child.kill()
    child.wait()
    left = tmp_path / f"actorflow-{child.pid}-1"
    others = tmp_path / f"actorflow-{os.getpid()}-1"
    for folder in (left, others):
        folder.mkdir()
    monkeypatch.setattr("actorflow_supervisors.warden_cgroup.found_here", lambda: (str(tmp_path), ""))

    Groups().leaf(2, MIB, [])

    assert not left.exists()
    assert others.exists()
