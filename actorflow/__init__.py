"""Supervised actors and durable pipelines for Python, on asyncio and trio, with no server to run.

The public names; nothing else of this package is promised. Each is imported when it is first used, so that
`import actorflow` costs next to nothing. Further doors: `actorflow.supervisors`, `actorflow.transports`,
`actorflow.testing`, `actorflow.errors`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from actorflow.actors.actor import Actor as Actor
    from actorflow.actors.context import Context as Context
    from actorflow.actors.handler import handler as handler
    from actorflow.actors.mailbox import Mailbox as Mailbox
    from actorflow.actors.monitor import Down as Down
    from actorflow.actors.placement.placed import Subprocess as Subprocess
    from actorflow.actors.ref import ActorRef as ActorRef
    from actorflow.actors.system import ActorSystem as ActorSystem
    from actorflow.actors.tree_view import print_tree as print_tree
    from actorflow.compose import RunFailed as RunFailed
    from actorflow.compose import RunResult as RunResult
    from actorflow.compose import run as run
    from actorflow.compose import run_async as run_async
    from actorflow.flows.dag import BoundDag as BoundDag
    from actorflow.flows.dag import Dag as Dag
    from actorflow.flows.dag import dag as dag
    from actorflow.flows.graph import TriggerRule as TriggerRule
    from actorflow.flows.limits import RunLimits as RunLimits
    from actorflow.flows.memory import Memory as Memory
    from actorflow.flows.retry import Retry as Retry
    from actorflow.flows.task import Task as Task
    from actorflow.flows.task import task as task
    from actorflow.recompose.replay import replay as replay
    from actorflow.recompose.replay import replay_async as replay_async
    from actorflow.recompose.resume import resume as resume
    from actorflow.recompose.resume import resume_async as resume_async
    from actorflow.runs.control import RunControl as RunControl
    from actorflow.runs.large_values import ValueOptions as ValueOptions
    from actorflow.runs.output import OutputRecord as OutputRecord
    from actorflow.runs.output_log import OutputLimits as OutputLimits
    from actorflow.runs.output_settings import OutputSettings as OutputSettings
    from actorflow.runs.states import RunStatus as RunStatus
    from actorflow.runs.states import TaskState as TaskState
    from actorflow.runs.task_context import TaskContext as TaskContext
    from actorflow.runs.task_context import task_context as task_context
    from actorflow.telemetry.log_context import LogContext as LogContext
    from actorflow.telemetry.traced_actors import TracedActorSystem as TracedActorSystem
    from actorflow.version import VERSION as __version__
    from actorflow_supervisors import Backoff as Backoff
    from actorflow_supervisors import Crashed as Crashed
    from actorflow_supervisors import InitFailed as InitFailed
    from actorflow_supervisors import Killed as Killed
    from actorflow_supervisors import NodeDown as NodeDown
    from actorflow_supervisors import NoProc as NoProc
    from actorflow_supervisors import Normal as Normal
    from actorflow_supervisors import Recycling as Recycling
    from actorflow_supervisors import RestartIntensity as RestartIntensity
    from actorflow_supervisors import Shutdown as Shutdown

_HOME: Final = {
    "Actor": "actorflow.actors.actor",
    "ActorRef": "actorflow.actors.ref",
    "ActorSystem": "actorflow.actors.system",
    "Backoff": "actorflow_supervisors",
    "BoundDag": "actorflow.flows.dag",
    "Context": "actorflow.actors.context",
    "Crashed": "actorflow_supervisors",
    "Dag": "actorflow.flows.dag",
    "Down": "actorflow.actors.monitor",
    "InitFailed": "actorflow_supervisors",
    "Killed": "actorflow_supervisors",
    "LogContext": "actorflow.telemetry.log_context",
    "Mailbox": "actorflow.actors.mailbox",
    "Memory": "actorflow.flows.memory",
    "NoProc": "actorflow_supervisors",
    "NodeDown": "actorflow_supervisors",
    "Normal": "actorflow_supervisors",
    "OutputLimits": "actorflow.runs.output_log",
    "OutputRecord": "actorflow.runs.output",
    "OutputSettings": "actorflow.runs.output_settings",
    "Recycling": "actorflow_supervisors",
    "RestartIntensity": "actorflow_supervisors",
    "Retry": "actorflow.flows.retry",
    "RunControl": "actorflow.runs.control",
    "RunFailed": "actorflow.compose",
    "RunLimits": "actorflow.flows.limits",
    "RunResult": "actorflow.compose",
    "RunStatus": "actorflow.runs.states",
    "Shutdown": "actorflow_supervisors",
    "Subprocess": "actorflow.actors.placement.placed",
    "Task": "actorflow.flows.task",
    "TaskContext": "actorflow.runs.task_context",
    "TaskState": "actorflow.runs.states",
    "TriggerRule": "actorflow.flows.graph",
    "ValueOptions": "actorflow.runs.large_values",
    "dag": "actorflow.flows.dag",
    "handler": "actorflow.actors.handler",
    "print_tree": "actorflow.actors.tree_view",
    "replay": "actorflow.recompose.replay",
    "replay_async": "actorflow.recompose.replay",
    "resume": "actorflow.recompose.resume",
    "resume_async": "actorflow.recompose.resume",
    "run": "actorflow.compose",
    "run_async": "actorflow.compose",
    "TracedActorSystem": "actorflow.telemetry.traced_actors",
    "task": "actorflow.flows.task",
    "task_context": "actorflow.runs.task_context",
}

__all__ = [
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


if not TYPE_CHECKING:  # a checker that saw it would let every misspelt name pass

    def __getattr__(name: str) -> object:
        if name == "__version__":
            return importlib.import_module("actorflow.version").VERSION
        home = _HOME.get(name)
        if home is None:
            raise AttributeError(f"module 'actorflow' has no attribute {name!r}")
        value: object = getattr(importlib.import_module(home), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
