"""Floor 0: keeps children alive. Knows no messages and no pipelines.

A name is loaded when it is first asked for: whoever wants a `Backoff` does not pay for a loop.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing itself is half of what the warden's start would cost
    from actorflow_supervisors.backoff import Backoff as Backoff
    from actorflow_supervisors.child_spec import AutoShutdown as AutoShutdown
    from actorflow_supervisors.child_spec import ChildSpec as ChildSpec
    from actorflow_supervisors.dynamic import DynamicSupervisor as DynamicSupervisor
    from actorflow_supervisors.errors import ChildDidNotStop as ChildDidNotStop
    from actorflow_supervisors.errors import ChildExists as ChildExists
    from actorflow_supervisors.errors import ChildProcessEnded as ChildProcessEnded
    from actorflow_supervisors.errors import ChildProcessFailed as ChildProcessFailed
    from actorflow_supervisors.errors import ChildStartFailed as ChildStartFailed
    from actorflow_supervisors.errors import ChildStillRunning as ChildStillRunning
    from actorflow_supervisors.errors import IntensityExceeded as IntensityExceeded
    from actorflow_supervisors.errors import InvalidChildSpec as InvalidChildSpec
    from actorflow_supervisors.errors import MaxChildren as MaxChildren
    from actorflow_supervisors.errors import NoSuchChild as NoSuchChild
    from actorflow_supervisors.errors import SupervisorError as SupervisorError
    from actorflow_supervisors.errors import SupervisorNotRunning as SupervisorNotRunning
    from actorflow_supervisors.events import ChildAbandoned as ChildAbandoned
    from actorflow_supervisors.events import ChildEnded as ChildEnded
    from actorflow_supervisors.events import ChildStarted as ChildStarted
    from actorflow_supervisors.events import IntensityReached as IntensityReached
    from actorflow_supervisors.events import LoopBlocked as LoopBlocked
    from actorflow_supervisors.events import RestartScheduled as RestartScheduled
    from actorflow_supervisors.events import SupervisorEvent as SupervisorEvent
    from actorflow_supervisors.events import SupervisorStarted as SupervisorStarted
    from actorflow_supervisors.events import SupervisorStopped as SupervisorStopped
    from actorflow_supervisors.events import SupervisorStopping as SupervisorStopping
    from actorflow_supervisors.exit_reason import Crashed as Crashed
    from actorflow_supervisors.exit_reason import ExitReason as ExitReason
    from actorflow_supervisors.exit_reason import InitFailed as InitFailed
    from actorflow_supervisors.exit_reason import Killed as Killed
    from actorflow_supervisors.exit_reason import NodeDown as NodeDown
    from actorflow_supervisors.exit_reason import NoProc as NoProc
    from actorflow_supervisors.exit_reason import Normal as Normal
    from actorflow_supervisors.exit_reason import Shutdown as Shutdown
    from actorflow_supervisors.exit_reason import describe as describe
    from actorflow_supervisors.exit_reason import is_abnormal as is_abnormal
    from actorflow_supervisors.intensity import RestartIntensity as RestartIntensity
    from actorflow_supervisors.memory import MemoryQuotaExceeded as MemoryQuotaExceeded
    from actorflow_supervisors.policy import Restart as Restart
    from actorflow_supervisors.policy import should_restart as should_restart
    from actorflow_supervisors.process import Process as Process
    from actorflow_supervisors.process import ProcessExit as ProcessExit
    from actorflow_supervisors.process import ProcessStartFailed as ProcessStartFailed
    from actorflow_supervisors.process import QuotaBreach as QuotaBreach
    from actorflow_supervisors.recycling import Recycling as Recycling
    from actorflow_supervisors.strategy import Strategy as Strategy
    from actorflow_supervisors.strategy import restart_group as restart_group
    from actorflow_supervisors.subprocess_child import Subprocess as Subprocess
    from actorflow_supervisors.supervisor import Supervisor as Supervisor
    from actorflow_supervisors.tree import ChildKind as ChildKind
    from actorflow_supervisors.tree import ChildState as ChildState
    from actorflow_supervisors.tree import ChildTree as ChildTree
    from actorflow_supervisors.warden import Warden as Warden
    from actorflow_supervisors.warden import Zygote as Zygote
    from actorflow_supervisors.warden import open_warden as open_warden
    from actorflow_supervisors.warden_layers import Layer as Layer
    from actorflow_supervisors.warden_layers import layers as layers
    from actorflow_supervisors.watchdog import LoopWatchdog as LoopWatchdog
else:
    _MODULES = {
        "backoff": ("Backoff",),
        "child_spec": (
            "AutoShutdown",
            "ChildSpec",
        ),
        "dynamic": ("DynamicSupervisor",),
        "errors": (
            "ChildDidNotStop",
            "ChildExists",
            "ChildProcessEnded",
            "ChildProcessFailed",
            "ChildStartFailed",
            "ChildStillRunning",
            "IntensityExceeded",
            "InvalidChildSpec",
            "MaxChildren",
            "NoSuchChild",
            "SupervisorError",
            "SupervisorNotRunning",
        ),
        "events": (
            "ChildAbandoned",
            "ChildEnded",
            "ChildStarted",
            "IntensityReached",
            "LoopBlocked",
            "RestartScheduled",
            "SupervisorEvent",
            "SupervisorStarted",
            "SupervisorStopped",
            "SupervisorStopping",
        ),
        "exit_reason": (
            "Crashed",
            "ExitReason",
            "InitFailed",
            "Killed",
            "NoProc",
            "NodeDown",
            "Normal",
            "Shutdown",
            "describe",
            "is_abnormal",
        ),
        "intensity": ("RestartIntensity",),
        "memory": ("MemoryQuotaExceeded",),
        "policy": (
            "Restart",
            "should_restart",
        ),
        "process": (
            "Process",
            "ProcessExit",
            "ProcessStartFailed",
            "QuotaBreach",
        ),
        "recycling": ("Recycling",),
        "strategy": (
            "Strategy",
            "restart_group",
        ),
        "subprocess_child": ("Subprocess",),
        "supervisor": ("Supervisor",),
        "tree": (
            "ChildKind",
            "ChildState",
            "ChildTree",
        ),
        "warden": (
            "Warden",
            "Zygote",
            "open_warden",
        ),
        "warden_layers": (
            "Layer",
            "layers",
        ),
        "watchdog": ("LoopWatchdog",),
    }
    _HOMES = {name: module for module, names in _MODULES.items() for name in names}
    __all__ = [*sorted(_HOMES)]  # noqa: PLE0604 - all are strings

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        return found

    def __dir__() -> list[str]:
        return sorted(_HOMES)
