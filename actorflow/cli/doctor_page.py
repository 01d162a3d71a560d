"""What `actorflow doctor` finds out, and how it says so."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from actorflow.cli.about import about
from actorflow.cli.spans import Line, dim, line, ok, strong, warn
from actorflow_supervisors.warden_layers import Layer, layers

NETWORK_FILE_SYSTEMS = frozenset(("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre"))
"""Where locks and shared memory of SQLite's cannot be relied on."""

_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+).*extra == ['\"]([a-z0-9_-]+)['\"]")
_NOT_FOR_USERS = frozenset(("dev", "bench"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """about: versions and loop by name. file_system: of the store, None where the system does not say.

    extras: version by distribution, None where it is not installed.
    """

    about: Mapping[str, str]
    platform: str
    cpus: int
    store: str
    file_system: str | None
    layers: tuple[Layer, ...]
    extras: Mapping[str, str | None]

    @property
    def is_on_network(self) -> bool:
        return self.file_system in NETWORK_FILE_SYSTEMS


def examine(store: Path) -> Diagnosis:
    """Look at this machine, and at the folder where runs are, or would be, kept."""
    return Diagnosis(
        about=about(),
        platform=f"{platform.system()} {platform.release()} {platform.machine()}, {platform.python_implementation()}",
        cpus=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        store=str(store),
        file_system=_file_system(store),
        layers=layers(),
        extras={name: _version(name) for name in extra_distributions(requires("actorflow") or [])},
    )


def extra_distributions(requirements: list[str]) -> list[str]:
    """The distributions that optional extras ask for, of `Requires-Dist` lines; those of developers left out."""
    found = [match.groups() for match in map(_REQUIREMENT.match, requirements) if match is not None]
    return sorted({name for name, extra in found if extra not in _NOT_FOR_USERS and name != "actorflow"})


def file_system_of(path: str, mounts: str) -> str | None:
    """The type of the file system that holds an absolute `path`. mounts: the text of /proc/self/mountinfo, proc(5)."""
    best, found = "", None
    for entry in mounts.splitlines():
        before, _, after = entry.partition(" - ")
        point = before.split()[4].replace("\\040", " ")
        if len(point) >= len(best) and (path == point or path.startswith(point.rstrip("/") + "/")):
            best, found = point, after.split()[0]
    return found


def diagnosis_lines(found: Diagnosis) -> list[Line]:
    """For a person."""
    versions = ", ".join(f"{name} {text}" for name, text in found.about.items() if name != "version")
    return [
        line(strong(f"actorflow {found.about['version']}"), f"  {versions}"),
        line(dim("machine    "), f"{found.platform}, {found.cpus} CPUs"),
        line(dim("store      "), f"{found.store} on {found.file_system or 'a file system that is not known'}"),
        *(
            [line(warn("           SQLite's locks cannot be relied on there; use a local folder"))]
            * found.is_on_network
        ),
        line(),
        line(strong("processes")),
        *(_layer_line(layer, max(len(each.name) for each in found.layers)) for layer in found.layers),
        line(),
        line(strong("extras")),
        *(
            line(dim("  "), f"{name} {text}" if text else f"{name} is not installed")
            for name, text in found.extras.items()
        ),
    ]


def diagnosis_json(found: Diagnosis) -> dict[str, object]:
    """For a program."""
    return {
        **found.about,
        "platform": found.platform,
        "cpus": found.cpus,
        "store": {"folder": found.store, "file_system": found.file_system, "is_on_network": found.is_on_network},
        "processes": [asdict(layer) for layer in found.layers],
        "extras": dict(found.extras),
    }


def _layer_line(layer: Layer, width: int) -> Line:
    return line("  ", ok("yes") if layer.is_active else warn("no "), f"  {layer.name:<{width}}  ", dim(layer.what))


def _file_system(store: Path) -> str | None:
    """Of the folder, or of the nearest one above it that exists."""
    folder = store.absolute()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        return file_system_of(str(folder.resolve()), Path("/proc/self/mountinfo").read_text())
    except OSError:
        return None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
