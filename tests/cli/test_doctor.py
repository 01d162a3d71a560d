"""What `actorflow doctor` says of a machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from actorflow.cli.doctor_page import Diagnosis, diagnosis_lines, extra_distributions, file_system_of
from actorflow.cli.spans import rendered
from actorflow_supervisors.warden_layers import System, layers
from tests.cli.shell import actorflow

MOUNTS = """\
22 28 0:20 / /proc rw - proc proc rw
28 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 28 0:35 / /mnt/share rw,relatime - nfs4 server:/export rw
41 28 0:36 / /mnt/with\\040space rw - tmpfs tmpfs rw
"""

BARE = System(
    has_warden=False, has_prctl=False, has_procfs=False, has_prlimit=False, can_rewrite=False, why_no_groups="none here"
)
LINUX = System(has_warden=True, has_prctl=True, has_procfs=True, has_prlimit=True, can_rewrite=True, why_no_groups="")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/user/.actorflow", "ext4"),
        ("/", "ext4"),
        ("/mnt/share", "nfs4"),
        ("/mnt/share/runs", "nfs4"),
        ("/mnt/shared", "ext4"),
        ("/mnt/with space/runs", "tmpfs"),
    ],
)
def test_the_file_system_of_a_path_is_that_of_the_longest_mount(path: str, kind: str) -> None:
    assert file_system_of(path, MOUNTS) == kind


def test_extras_are_those_of_users() -> None:
    requirements = [
        "anyio>=4.6",
        'numpy>=2.0; extra == "numpy"',
        "uvloop>=0.21; (platform_system != 'Windows') and extra == 'uvloop'",
        'pytest>=8.3; extra == "dev"',
        'actorflow[trio]; extra == "all"',
    ]

    assert extra_distributions(requirements) == ["numpy", "uvloop"]


@pytest.mark.parametrize(("system", "active"), [(BARE, False), (LINUX, True)])
def test_each_layer_says_what_it_gives_or_what_follows_without_it(system: System, active: bool) -> None:
    found = layers(system)

    assert [layer.is_active for layer in found] == [active] * len(found)
    assert {layer.what for layer in found}.isdisjoint(layer.what for layer in layers(LINUX if not active else BARE))


def test_a_store_on_a_network_is_warned_of() -> None:
    found = Diagnosis(
        about={"version": "1", "python": "3.11"},
        platform="Linux",
        cpus=2,
        store="/mnt/share",
        file_system="nfs4",
        layers=layers(BARE),
        extras={"numpy": None},
    )

    text = rendered(diagnosis_lines(found), color=False)

    assert "/mnt/share on nfs4" in text
    assert "use a local folder" in text
    assert "no   warden" in text
    assert "numpy is not installed" in text


def test_doctor_tells_a_person_and_a_program(tmp_path: Path) -> None:
    words = actorflow("doctor", cwd=tmp_path)
    done = actorflow("doctor", "--json", "--store", "elsewhere", cwd=tmp_path)
    found = json.loads(done.out)

    assert (words.code, words.err, done.code, done.err) == (0, "", 0, "")
    assert "yes  warden" in words.out
    assert found["store"]["folder"] == "elsewhere"
    assert {layer["name"]: layer["is_active"] for layer in found["processes"]} == {
        layer.name: layer.is_active for layer in layers()
    }
    assert found["extras"]["trio"]
    assert not (tmp_path / "elsewhere").exists()
