"""Where a store may be: on a local disk, in a place that only its user can change."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from actorflow.runs import file_system
from actorflow.runs.file_system import NETWORK, Mount, file_system_of, mount_of, require_safe
from actorflow.runs.store import SqliteStore
from actorflow.runs.store_errors import UnsafeStore
from actorflow.testing.stores import attempt, finished, record, started

MOUNTINFO = r"""
22 28 0:20 / /proc rw,nosuid shared:14 - proc proc rw
28 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
99 28 0:45 / /mnt/share rw,relatime shared:50 - nfs4 server:/export rw,vers=4.2
100 28 0:46 / /mnt/with\040space rw - cifs //server/share rw
101 99 0:47 / /mnt/share/local rw - tmpfs tmpfs rw
102 28 0:48 / /home/me/remote rw - fuse.sshfs me@host: rw
103 28 254:2 / /home/me rw - xfs /dev/vdb rw
104 28 254:3 / /home/me rw - btrfs /dev/vdc rw
garbage
""".splitlines()


@pytest.mark.parametrize(
    ("path", "mount"),
    [
        ("/", Mount("/", "ext4")),
        ("/mnt/shared", Mount("/", "ext4")),
        ("/mnt/share", Mount("/mnt/share", "nfs4")),
        ("/mnt/share/etl/.actorflow", Mount("/mnt/share", "nfs4")),
        ("/mnt/share/local/x", Mount("/mnt/share/local", "tmpfs")),
        ("/mnt/with space/x", Mount("/mnt/with space", "cifs")),
        ("/home/me/remote/x", Mount("/home/me/remote", "fuse.sshfs")),
        ("/home/me/x", Mount("/home/me", "btrfs")),
    ],
)
def test_a_path_is_on_the_nearest_mount_above_it(path: str, mount: Mount) -> None:
    assert mount_of(path, MOUNTINFO) == mount


def test_this_machine_tells_what_a_folder_is_on(tmp_path: Path) -> None:
    found = file_system_of(tmp_path / "not" / "there")

    assert found is not None
    assert os.path.ismount(found.point)


@pytest.mark.parametrize("kind", sorted(NETWORK))
def test_a_network_file_system_is_refused_by_name(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"28 1 254:1 / / rw - {kind} server:/export rw\n")
    monkeypatch.setattr(file_system, "MOUNTS", mounts)

    with pytest.raises(UnsafeStore, match=f"is on a network file system \\({kind}, mounted at /\\)"):
        SqliteStore(tmp_path / "store").create_run()

    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_store_that_others_may_write_in_is_refused(mode: int, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store").chmod(mode)

    with pytest.raises(UnsafeStore, match="can be written by others; chmod go-w"):
        require_safe(tmp_path / "store")


def test_what_is_no_directory_is_not_to_be_made_safe() -> None:
    require_safe(Path("/dev/null"))  # everybody may write in it, and should


def test_a_parent_that_everybody_may_write_in_is_refused_without_the_sticky_bit(tmp_path: Path) -> None:
    parent = tmp_path / "open"
    parent.mkdir()
    parent.chmod(0o777)

    with pytest.raises(UnsafeStore, match="where everybody may replace it"):
        require_safe(parent / "store")
    parent.chmod(0o1777)
    require_safe(parent / "store")


class Someone:
    """Another user than the one who made the files."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 4242)


def test_a_store_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "store").mkdir(mode=0o700)
    Someone(monkeypatch)

    with pytest.raises(UnsafeStore, match=f"belongs to user {os.getuid()}"):
        require_safe(tmp_path / "store")


@pytest.mark.anyio
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
async def test_every_file_of_a_store_is_its_users_only_under_any_umask(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        store = SqliteStore(tmp_path / "store")
        journal_modes: set[int] = set()
        journal = store.create_run("r1")
        journal_modes = {stat.S_IMODE(path.stat().st_mode) for path in store.folder.iterdir()}
        await journal.close()
        await record(store, [*started("r2", width=1), *attempt(0, value=b"x" * 3_000_000), finished("r2")], "r2")
        store.runs()
    finally:
        os.umask(before)

    found = {path: stat.S_IMODE(path.stat().st_mode) for path in store.root.rglob("*")}
    assert journal_modes == {0o600}
    assert {mode for path, mode in found.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in found.items() if path.is_file()} == {0o600}
    assert any(path.parent.suffix == ".values" for path in found)
