"""Floor 0: keeps children alive. Knows no messages and no pipelines."""

from __future__ import annotations

from actorflow_supervisors.backoff import Backoff as Backoff
from actorflow_supervisors.child_spec import AutoShutdown as AutoShutdown
from actorflow_supervisors.child_spec import ChildSpec as ChildSpec
from actorflow_supervisors.errors import ChildExists as ChildExists
from actorflow_supervisors.errors import ChildStartFailed as ChildStartFailed
from actorflow_supervisors.errors import ChildStillRunning as ChildStillRunning
from actorflow_supervisors.errors import IntensityExceeded as IntensityExceeded
from actorflow_supervisors.errors import InvalidChildSpec as InvalidChildSpec
from actorflow_supervisors.errors import NoSuchChild as NoSuchChild
from actorflow_supervisors.errors import SupervisorError as SupervisorError
from actorflow_supervisors.errors import SupervisorNotRunning as SupervisorNotRunning
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
from actorflow_supervisors.policy import Restart as Restart
from actorflow_supervisors.policy import should_restart as should_restart
from actorflow_supervisors.strategy import Strategy as Strategy
from actorflow_supervisors.strategy import restart_group as restart_group
from actorflow_supervisors.tree import ChildKind as ChildKind
from actorflow_supervisors.tree import ChildState as ChildState
from actorflow_supervisors.tree import ChildTree as ChildTree
