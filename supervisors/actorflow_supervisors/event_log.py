"""Event log: one log line for each supervision event that somebody should read."""

from __future__ import annotations

import logging

from actorflow_supervisors.errors import error_of
from actorflow_supervisors.events import (
    ChildAbandoned,
    ChildEnded,
    IntensityReached,
    RestartScheduled,
    SupervisorEvent,
)
from actorflow_supervisors.exit_reason import describe, is_abnormal

logger = logging.getLogger("actorflow.supervisors")


def log_event(event: SupervisorEvent) -> None:
    """Log failures as errors (with the traceback), restarts as information, and nothing else."""
    match event:
        case ChildEnded(reason=reason, asked=False) if is_abnormal(reason):
            error = error_of(reason)
            logger.error(
                "child %s/%s (incarnation %d) ended: %s",
                event.path,
                event.child_id,
                event.incarnation,
                describe(reason),
                exc_info=error,
            )
        case RestartScheduled():
            logger.info("restarting %s of %s in %.3g s", ", ".join(event.group), event.path, event.delay_s)
        case ChildAbandoned():
            logger.error(
                "child %s/%s (incarnation %d) did not end within %g s and was abandoned; it may still be running",
                event.path,
                event.child_id,
                event.incarnation,
                event.grace_s,
            )
        case IntensityReached():
            logger.error(
                "supervisor %s gives up: child %s failed more than %d times within %g s",
                event.path,
                event.child_id,
                event.max_restarts,
                event.max_seconds,
            )
        case _:
            pass
