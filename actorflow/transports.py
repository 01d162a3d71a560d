"""Public door: one connection interface, in-process, between processes and over sockets."""

from __future__ import annotations

from actorflow.actors.compress import expand as expand
from actorflow.actors.compress import squeeze as squeeze
from actorflow_transports import *  # noqa: F403 - the leaf's own public list
