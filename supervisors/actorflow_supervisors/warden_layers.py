"""Warden layers: what of this system keeps processes from outliving their supervisor, and their quotas."""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass

from actorflow_supervisors.prctl import has_prctl
from actorflow_supervisors.process_tree import PROCFS
from actorflow_supervisors.warden import is_supported
from actorflow_supervisors.warden_cgroup import found_here
from actorflow_supervisors.zygote_marker import can_rewrite


@dataclass(frozen=True, slots=True)
class Layer:
    """One of the means that processes are kept with. what: what it gives, or, where it is missing, what follows."""

    name: str
    is_active: bool
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """What a system offers. why_no_groups: why no cgroups can be made, "" where they can."""

    has_warden: bool
    has_prctl: bool
    has_procfs: bool
    has_prlimit: bool
    can_rewrite: bool
    why_no_groups: str


def layers(system: System | None = None) -> tuple[Layer, ...]:
    """The layers of this system, or of another.

    | layer | rests on |
    |---|---|
    | warden | Linux, pidfds, /proc |
    | subreaper | the warden, prctl |
    | parent death signal | prctl |
    | memory sampling | /proc, for the warden; else by the loop |
    | hard memory limit | prlimit, /proc |
    | kernel memory limit | the warden, cgroup v2 with memory in a group that may be written |
    | zygote | the warden, and that a process can write over its environment |
    """
    found = this_system() if system is None else system
    return (
        _layer(
            "warden",
            found.has_warden,
            "a process of its own starts, watches and ends all others, within 2 s of the end of their supervisor",
            "processes are started by the program itself, and end with it as far as they notice its end",
        ),
        _layer(
            "subreaper",
            found.has_warden and found.has_prctl,
            "what has left its session and its parent is found too",
            "what has left its session may outlive its task",
        ),
        _layer(
            "parent death signal",
            found.has_prctl,
            "workers end even when supervisor and warden are killed in the same instant",
            "workers end when they see the end of their socket",
        ),
        _layer(
            "memory sampling",
            found.has_warden and found.has_procfs,
            "trees are measured every 50 ms, whatever the program is at; shared memory counts once",
            "trees are measured by the program's own loop, and shared memory counts in each process",
        ),
        _layer(
            "hard memory limit",
            found.has_prlimit and found.has_procfs,
            "a process is refused more than 1.5 times its quota (RLIMIT_DATA)",
            "what grows between two samples is not held",
        ),
        _layer(
            "kernel memory limit",
            found.has_warden and not found.why_no_groups,
            "a tree with a quota is a cgroup of its own, which the kernel kills whole above it",
            f"samples alone hold trees to their quotas ({found.why_no_groups})",
        ),
        _layer(
            "zygote",
            found.has_warden and found.has_prctl and found.can_rewrite,
            "workers are forked from an interpreter that has imported what they need",
            "each worker is an interpreter of its own",
        ),
    )


def this_system() -> System:
    return System(
        has_warden=is_supported(),
        has_prctl=has_prctl(),
        has_procfs=PROCFS,
        has_prlimit=hasattr(resource, "prlimit"),
        can_rewrite=hasattr(os, "fork") and can_rewrite(),
        why_no_groups=found_here()[1],
    )


def _layer(name: str, is_active: bool, given: str, missing: str) -> Layer:
    return Layer(name, is_active, given if is_active else missing)
