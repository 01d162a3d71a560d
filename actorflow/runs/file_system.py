"""Which file system a path is on, and whether a store may be there."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from actorflow.runs.store_errors import UnsafeStore

MOUNTS: Final = Path("/proc/self/mountinfo")

NETWORK: Final = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4"}
    | {"orangefs", "smb2", "smb3", "smbfs", "fuse.ceph", "fuse.davfs2", "fuse.glusterfs", "fuse.gcsfuse", "fuse.rclone"}
    | {"fuse.s3fs", "fuse.sshfs"}
)
"""There locks and shared memory hold on one machine only, if at all: each of two owners would be the only one."""


class Mount(NamedTuple):
    """A file system and where it is mounted."""

    point: str
    kind: str


def file_system_of(path: Path) -> Mount | None:
    """What `path`, or the nearest folder above it that exists, is on; None where the system does not tell."""
    try:
        lines = MOUNTS.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return None
    return mount_of(os.path.realpath(path), lines)


def mount_of(path: str, mountinfo: Iterable[str]) -> Mount | None:
    """The mount that holds the absolute path; of several at one point the last, which covers the others."""
    found: Mount | None = None
    for mount in filter(None, map(_parsed, mountinfo)):
        inside = path == mount.point or path.startswith(mount.point.rstrip("/") + "/")
        if inside and (found is None or len(mount.point) >= len(found.point)):
            found = mount
    return found


def require_safe(root: Path) -> None:
    """Raises UnsafeStore where a store at `root` could not keep its promises.

    | at fault | why |
    |---|---|
    | a network file system | see NETWORK |
    | a link that somebody else made | it may lead anywhere, and elsewhere tomorrow |
    | a store of another user (but for root) | its files are not ours to trust |
    | a store that others may write in | they may replace its files |
    | a parent that everybody may write in, without the sticky bit | they may replace the store |
    """
    mount = file_system_of(root)
    if mount is not None and mount.kind in NETWORK:
        problem = f"is on a network file system ({mount.kind}, mounted at {mount.point})"
        raise UnsafeStore(root, problem, "choose a directory on a local disk with --store or ACTORFLOW_STORE")
    ours = {os.geteuid(), 0}
    if root.is_symlink() and root.lstat().st_uid not in ours:
        raise UnsafeStore(root, "is a link that another user made", "name the directory itself with --store")
    if root.is_dir():  # what is no directory cannot be written in, which is told where that is tried
        found = root.stat()
        if found.st_uid != os.geteuid() and os.geteuid() != 0:
            raise UnsafeStore(root, f"belongs to user {found.st_uid}", "choose a directory of your own with --store")
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise UnsafeStore(root, "can be written by others", f"chmod go-w {root}")
    parent = root.absolute().parent
    if parent.exists() and _open_to_all(parent):
        raise UnsafeStore(root, f"stands in {parent}, where everybody may replace it", f"chmod o-w {parent}")


def _open_to_all(folder: Path) -> bool:
    mode = folder.stat().st_mode
    return bool(mode & stat.S_IWOTH and not mode & stat.S_ISVTX)


def _parsed(line: str) -> Mount | None:
    """A line of mountinfo: the point is its fifth field, the kind the first after a lone dash."""
    head, dash, tail = line.partition(" - ")
    fields = head.split(" ")
    if not dash or len(fields) < 5:
        return None
    return Mount(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4]), tail.split(" ")[0])
