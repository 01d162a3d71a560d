"""Public door: every error that actorflow raises on purpose, drawn as trees.

ActorflowError
├── ActorError                  actors
│   ├── AskError                an ask that got no reply
│   │   ├── ActorCrashed
│   │   ├── ActorNotRunning
│   │   ├── ActorRestarting
│   │   ├── AskCycle
│   │   ├── AskTimeout
│   │   └── OutcomeUnknown
│   ├── LinkedActorEnded
│   ├── MailboxFull
│   ├── StashFull
│   ├── MessageRefused
│   ├── NameTaken
│   ├── NotImportable           a factory that another process cannot find
│   ├── ProcessLost             a placed actor's process ended unasked
│   ├── RemoteError             an error of another process, in words
│   ├── SpawnFailed
│   └── UnknownHandler
├── CodecError                  values that cannot cross
│   ├── DecodeError
│   └── EncodeError
├── FlowFaults                  everything that is wrong with a pipeline's file
├── ResumeRefused               a run that cannot go on as it is asked to
│   └── StructureChanged        its dag is another one by now
├── RunFailed                   the value of a run that did not succeed
├── RunUnreachable              a run that cannot be asked
├── StoreError                  the store of runs
│   ├── AmbiguousRun
│   ├── ForeignStore
│   ├── JournalDamaged
│   ├── JournalFailed
│   │   └── StoreFull
│   ├── NewerStore
│   ├── RunInUse
│   ├── RunNotFound
│   ├── StoreUnwritable
│   ├── UnsafeStore
│   └── ValueReleased
└── TelemetryError              telemetry that a run cannot have
    ├── TelemetryMissing
    └── TelemetryRefused

SupervisorError                 the supervisors' own tree, since they are used alone too
├── ChildDidNotStop
├── ChildExists
├── ChildProcessEnded           a child's process ended before its code did
├── ChildProcessFailed          what a child raised in its process
├── ChildStartFailed
├── ChildStillRunning
├── IntensityExceeded
├── InvalidChildSpec
├── MaxChildren
├── MemoryQuotaExceeded
├── NoSuchChild
├── ProcessStartFailed
└── SupervisorNotRunning

TransportError                  the transports' own tree
├── AddressError
├── AddressInUse
├── AddressRefused
├── ConnectRefused
├── ConnectionClosed
├── ConnectionLost
│   ├── BadFrame
│   ├── BadItem
│   └── FrameTooLarge
├── EndOfItems
├── HandshakeRefused
└── ReceiverBusy
"""

from __future__ import annotations

from actorflow.actors.codec import CodecError as CodecError
from actorflow.actors.codec import DecodeError as DecodeError
from actorflow.actors.codec import EncodeError as EncodeError
from actorflow.actors.errors import ActorCrashed as ActorCrashed
from actorflow.actors.errors import ActorError as ActorError
from actorflow.actors.errors import ActorflowError as ActorflowError
from actorflow.actors.errors import ActorNotRunning as ActorNotRunning
from actorflow.actors.errors import ActorRestarting as ActorRestarting
from actorflow.actors.errors import AskCycle as AskCycle
from actorflow.actors.errors import AskError as AskError
from actorflow.actors.errors import AskTimeout as AskTimeout
from actorflow.actors.errors import LinkedActorEnded as LinkedActorEnded
from actorflow.actors.errors import MailboxFull as MailboxFull
from actorflow.actors.errors import MessageRefused as MessageRefused
from actorflow.actors.errors import NameTaken as NameTaken
from actorflow.actors.errors import OutcomeUnknown as OutcomeUnknown
from actorflow.actors.errors import ProcessLost as ProcessLost
from actorflow.actors.errors import RemoteError as RemoteError
from actorflow.actors.errors import SpawnFailed as SpawnFailed
from actorflow.actors.errors import StashFull as StashFull
from actorflow.actors.errors import UnknownHandler as UnknownHandler
from actorflow.actors.factory import NotImportable as NotImportable
from actorflow.compose import RunFailed as RunFailed
from actorflow.flows.faults import FlowFaults as FlowFaults
from actorflow.runs.control_client import RunUnreachable as RunUnreachable
from actorflow.runs.resume import ResumeRefused as ResumeRefused
from actorflow.runs.resume import StructureChanged as StructureChanged
from actorflow.runs.store_errors import AmbiguousRun as AmbiguousRun
from actorflow.runs.store_errors import ForeignStore as ForeignStore
from actorflow.runs.store_errors import JournalDamaged as JournalDamaged
from actorflow.runs.store_errors import JournalFailed as JournalFailed
from actorflow.runs.store_errors import NewerStore as NewerStore
from actorflow.runs.store_errors import RunInUse as RunInUse
from actorflow.runs.store_errors import RunNotFound as RunNotFound
from actorflow.runs.store_errors import StoreError as StoreError
from actorflow.runs.store_errors import StoreFull as StoreFull
from actorflow.runs.store_errors import StoreUnwritable as StoreUnwritable
from actorflow.runs.store_errors import UnsafeStore as UnsafeStore
from actorflow.runs.store_errors import ValueReleased as ValueReleased
from actorflow.telemetry.choice import TelemetryError as TelemetryError
from actorflow.telemetry.choice import TelemetryMissing as TelemetryMissing
from actorflow.telemetry.choice import TelemetryRefused as TelemetryRefused
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
from actorflow_supervisors.memory import MemoryQuotaExceeded as MemoryQuotaExceeded
from actorflow_supervisors.process import ProcessStartFailed as ProcessStartFailed
from actorflow_transports.errors import AddressError as AddressError
from actorflow_transports.errors import AddressInUse as AddressInUse
from actorflow_transports.errors import AddressRefused as AddressRefused
from actorflow_transports.errors import BadFrame as BadFrame
from actorflow_transports.errors import BadItem as BadItem
from actorflow_transports.errors import ConnectionClosed as ConnectionClosed
from actorflow_transports.errors import ConnectionLost as ConnectionLost
from actorflow_transports.errors import ConnectRefused as ConnectRefused
from actorflow_transports.errors import EndOfItems as EndOfItems
from actorflow_transports.errors import FrameTooLarge as FrameTooLarge
from actorflow_transports.errors import HandshakeRefused as HandshakeRefused
from actorflow_transports.errors import ReceiverBusy as ReceiverBusy
from actorflow_transports.errors import TransportError as TransportError
