"""A module that only one process can import: the one whose number the environment tells."""

from __future__ import annotations

import os

from actorflow import Actor

OWNER = "ACTORFLOW_TEST_OWNER"

if os.environ.get(OWNER) != str(os.getpid()):
    raise ImportError("there is no licence for this process")


class Homebound(Actor):
    """Cannot be placed anywhere else."""
