"""Memory quotas: only the offender dies, and limit and peak are known."""

from __future__ import annotations

import os

import anyio
import pytest

from actorflow_supervisors import memory_tree
from actorflow_supervisors.memory import MemoryQuotaExceeded, MemoryWatch, mebibytes
from actorflow_supervisors.memory_tree import WatchedTree
from actorflow_supervisors.process import ProcessExit
from actorflow_supervisors.warden import open_warden
from tests.faults.leaks import leak_audit as leak_audit
from tests.faults.processes import FOREVER, Says, directly, line

MIB = 1 << 20

HOLD = "held = bytearray(os.urandom(1 << 20) * {mib})\nsay('held')\n" + FOREVER
HOG = "held = []\nsay('up')\nwhile True: held.append(bytearray(os.urandom(1 << 12) * 256))\n"


def never() -> None:
    raise AssertionError("this tree is within its quota")


@pytest.mark.anyio
async def test_rss_of_a_tree_is_the_sum_of_its_processes(anyio_backend: str, leak_audit: None) -> None:
    with directly(f"import os\nos.fork()\n{HOLD.format(mib=32)}") as (process, says):
        await line(says)
        await line(says)
        tree = WatchedTree(process.pid, None, never)
        used_bytes = tree.sample(0.0)
        tree.close()
        await process.stop(0)

    assert 64 * MIB < used_bytes < 128 * MIB
    assert tree.peak_bytes == used_bytes


@pytest.mark.anyio
async def test_a_hog_is_killed_and_its_neighbour_is_not(anyio_backend: str, leak_audit: None) -> None:
    watch = MemoryWatch()
    with directly(HOG) as (hog, hog_says), directly("say('up')\n" + FOREVER) as (innocent, innocent_says):
        await line(hog_says)
        await line(innocent_says)
        hog_tree = watch.watch(hog.pid, limit_bytes=128 * MIB, on_breach=hog.kill)
        innocent_tree = watch.watch(innocent.pid, limit_bytes=128 * MIB, on_breach=innocent.kill)
        async with anyio.create_task_group() as group:
            group.start_soon(watch.run)
            await hog.wait()
            group.cancel_scope.cancel()
        assert innocent.exit is None
        await innocent.stop(0)

    assert hog.exit == ProcessExit(signal=9)
    assert hog_tree.breached
    assert not innocent_tree.breached
    assert hog_tree.peak_bytes > 128 * MIB
    assert 0 < innocent_tree.peak_bytes < 128 * MIB


@pytest.mark.anyio
async def test_a_hog_below_its_root_counts_too(anyio_backend: str, leak_audit: None) -> None:
    watch = MemoryWatch()
    with directly(f"if os.fork() == 0:\n    os.setsid()\n    exec({HOG!r})\n{FOREVER}") as (process, says):
        await line(says)
        tree = watch.watch(process.pid, limit_bytes=128 * MIB, on_breach=process.kill)
        async with anyio.create_task_group() as group:
            group.start_soon(watch.run)
            await process.wait()
            group.cancel_scope.cancel()

    assert tree.breached


@pytest.mark.anyio
async def test_memory_that_forks_share_is_counted_once(anyio_backend: str, leak_audit: None) -> None:
    code = f"import os\nheld = bytearray(os.urandom(1 << 20) * 64)\nos.fork()\nos.fork()\nsay('up')\n{FOREVER}"
    with directly(code) as (process, says):
        for _ in range(4):
            await line(says)
        tree = WatchedTree(process.pid, 128 * MIB, never)
        used_bytes = tree.sample(0.0)
        tree.close()
        await process.stop(0)

    assert used_bytes > 4 * 64 * MIB
    assert not tree.breached


@pytest.mark.anyio
async def test_pages_of_a_mapped_file_are_not_blamed(
    anyio_backend: str, leak_audit: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    big = tmp_path_factory.mktemp("files") / "big"
    big.write_bytes(os.urandom(MIB) * 64)
    code = f"import mmap\nf = open({str(big)!r}, 'rb')\nm = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)\n"
    with directly(code + f"sum(m[::4096])\nsay('read')\n{FOREVER}") as (process, says):
        await line(says)
        tree = WatchedTree(process.pid, 32 * MIB, never)
        used_bytes = tree.sample(0.0)
        tree.close()
        await process.stop(0)

    assert used_bytes > 64 * MIB
    assert not tree.breached


@pytest.mark.anyio
async def test_a_breach_is_told_once(anyio_backend: str, leak_audit: None) -> None:
    told: list[str] = []
    with directly(HOLD.format(mib=32)) as (process, says):
        await line(says)
        tree = WatchedTree(process.pid, MIB, lambda: told.append("breach"))
        tree.sample(0.0)
        tree.sample(0.05)
        tree.close()
        await process.stop(0)

    assert told == ["breach"]


@pytest.mark.anyio
async def test_a_tree_that_has_ended_uses_nothing(anyio_backend: str, leak_audit: None) -> None:
    with directly("") as (process, _):
        await process.wait()
    tree = WatchedTree(process.pid, 1, never)

    assert tree.sample(0.0) == 0


@pytest.mark.anyio
async def test_psutil_sees_the_same_tree(anyio_backend: str, leak_audit: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with directly(f"import os\nos.fork()\n{HOLD.format(mib=32)}") as (process, says):
        await line(says)
        await line(says)
        monkeypatch.setattr(memory_tree, "PROCFS", False)
        tree = WatchedTree(process.pid, 48 * MIB, lambda: None)
        used_bytes = tree.sample(0.0)
        monkeypatch.undo()
        await process.stop(0)

    assert 64 * MIB < used_bytes < 128 * MIB
    assert tree.breached


def test_the_error_says_limit_and_peak() -> None:
    error = MemoryQuotaExceeded(256 * MIB, 300 * MIB + 1)

    assert str(error) == ("used 300.0 MiB of memory, its quota is 256 MiB; raise the quota, or work on smaller pieces")


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0.0 MiB"), (MIB // 2, "0.5 MiB"), (MIB, "1 MiB"), (2048 * MIB, "2,048 MiB")]
)
def test_bytes_are_told_in_mebibytes(count: int, words: str) -> None:
    assert mebibytes(count) == words


@pytest.mark.anyio
async def test_what_another_thread_started_is_part_of_the_tree(anyio_backend: str, leak_audit: None) -> None:
    code = "import threading, subprocess, sys, signal\n"
    code += "def start():\n    child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])\n"
    code += "    say(child.pid)\n    signal.pause()\nthreading.Thread(target=start, daemon=True).start()\n"
    with directly(code + FOREVER) as (process, says):
        started = int(await line(says))
        tree = WatchedTree(process.pid, None, never)
        tree.sample(0.0)
        found = set(tree.pids)
        tree.close()
        await process.stop(0)

    assert found == {process.pid, started}


@pytest.mark.anyio
@pytest.mark.parametrize("way", ["warden", "reduced"])
async def test_a_process_is_refused_what_its_quota_does_not_allow_as_soon_as_it_is_limited(
    way: str, anyio_backend: str, leak_audit: None
) -> None:
    """And has it again as soon as it is not: the limit is there before whatever it is told after it."""
    code = "import os\nfd = int(os.environ['ASKS'])\nwhile size := os.read(fd, 8):\n"
    code += "    try: say(len(bytes(int(size) << 20)))\n    except MemoryError: say('refused')\n"
    reads, asks = os.pipe()
    answers: list[str] = []
    async with open_warden(reduced=way == "reduced") as warden:
        says = Says()
        process = await warden.start(
            says.code(code), env={**os.environ, "ASKS": str(reads)}, pass_fds=(says.theirs, reads)
        )
        says.end_of_ours()
        os.close(reads)
        for quota_bytes in (64 * MIB, None, 64 * MIB, 2048 * MIB, None):
            process.limit(quota_bytes)
            os.write(asks, b"512")
            answers.append(await says.line())
        os.close(asks)
        await process.wait()
        says.close()

    size = str(512 * MIB)
    assert answers == ["refused", size, "refused", size, size]
