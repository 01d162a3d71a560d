"""The public doors: the list of names, each importable, and every error in its tree."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from types import ModuleType

import pytest

import actorflow
from actorflow import errors

PUBLIC = [
    "Actor",
    "ActorRef",
    "ActorSystem",
    "Backoff",
    "BoundDag",
    "Context",
    "Crashed",
    "Dag",
    "Down",
    "InitFailed",
    "Killed",
    "LogContext",
    "Mailbox",
    "Memory",
    "NoProc",
    "NodeDown",
    "Normal",
    "OutputLimits",
    "OutputRecord",
    "OutputSettings",
    "Recycling",
    "RestartIntensity",
    "Retry",
    "RunControl",
    "RunFailed",
    "RunLimits",
    "RunResult",
    "RunStatus",
    "Shutdown",
    "Subprocess",
    "Task",
    "TaskContext",
    "TaskState",
    "TracedActorSystem",
    "TriggerRule",
    "ValueOptions",
    "__version__",
    "dag",
    "handler",
    "print_tree",
    "replay",
    "replay_async",
    "resume",
    "resume_async",
    "run",
    "run_async",
    "task",
    "task_context",
]


def test_the_public_names_are_these_and_no_others() -> None:
    assert sorted(actorflow.__all__) == sorted(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_there(name: str) -> None:
    assert getattr(actorflow, name) is not None
    assert name in dir(actorflow)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Akter"):
        _ = actorflow.Akter  # type: ignore[attr-defined]


@pytest.mark.parametrize("door", ["actorflow.supervisors", "actorflow.transports", "actorflow.testing"])
def test_a_door_opens(door: str) -> None:
    module = importlib.import_module(door)

    assert [name for name in dir(module) if not name.startswith("_")]


def test_importing_actorflow_imports_nothing_dear() -> None:
    dear = {"asyncio", "anyio", "pydantic", "rich", "sqlite3", "trio", "psutil"}
    code = f"import sys, actorflow; print(*sorted(set(sys.modules) & {dear}))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == []


def errors_of(module: ModuleType) -> set[str]:
    return {
        name
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, Exception)
        and value.__module__ == module.__name__
        and not name.startswith("_")
    }


@pytest.mark.parametrize(
    "module",
    [
        "actorflow.actors.errors",
        "actorflow.runs.store_errors",
        "actorflow_supervisors.errors",
        "actorflow_transports.errors",
    ],
)
def test_every_error_of_a_floor_stands_in_the_door(module: str) -> None:
    assert errors_of(importlib.import_module(module)) - set(vars(errors)) == set()


def test_the_drawn_tree_is_the_real_one() -> None:
    drawn: dict[str, str | None] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines()[2:]:
        found = re.match(r"^([│├└─ ]*)([A-Z]\w+)", line)
        if found is None:
            continue
        depth = len(found[1]) // 4
        above = [*above[:depth], found[2]]
        drawn[found[2]] = above[-2] if depth else None

    exceptions = {name: value for name, value in vars(errors).items() if isinstance(value, type)}
    assert set(drawn) == set(exceptions)
    for name, parent in drawn.items():
        if parent is not None:
            assert exceptions[name].__bases__[0] is exceptions[parent]
