"""Public door: supervisors for any async callable, with no actor and no pipeline in sight."""

from __future__ import annotations

from actorflow_supervisors import *  # noqa: F403 - the leaf's own public list
