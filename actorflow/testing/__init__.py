"""Public door: the test kit, which runs actors on virtual time, and the conformance kits.

TestKit, run_virtual: see docs/testing.md. transports, stores: conformance kits for a Transport and a RunStore, each a
tuple `CHECKS` of async functions.
"""

from __future__ import annotations

from actorflow.testing import stores as stores
from actorflow.testing import transports as transports
from actorflow.testing.clock import VirtualTimeError as VirtualTimeError
from actorflow.testing.clock import run_virtual as run_virtual
from actorflow.testing.clock import settle as settle
from actorflow.testing.clock import virtual_backend as virtual_backend
from actorflow.testing.event_log import Event as Event
from actorflow.testing.event_log import EventKind as EventKind
from actorflow.testing.faults import InjectedCrash as InjectedCrash
from actorflow.testing.kit import TestKit as TestKit
from actorflow.testing.network import Loss as Loss
from actorflow.testing.probe import Probe as Probe
from actorflow.testing.probe import Received as Received
