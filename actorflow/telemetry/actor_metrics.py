"""The metrics of a system's actors, in the meter of a provider.

| metric | kind | unit | attributes |
|---|---|---|---|
| actorflow.actor.restarts | counter | {restart} | actorflow.actor.type, error.type: incarnations that were replaced |
| actorflow.dead_letters | counter | {message} | actorflow.dead_letter.reason: messages that were not handled |

A type is the name of a class, a reason one of ten: no label grows with the number of actors or messages.
"""

from __future__ import annotations

from typing import Final

from opentelemetry.metrics import MeterProvider, get_meter

from actorflow.actors.cell import Cell
from actorflow.actors.dead_letters import DeadLetter
from actorflow.telemetry import names
from actorflow.telemetry.metrics import Metric, MetricKind
from actorflow.version import VERSION
from actorflow_supervisors.child import Child, Verdict
from actorflow_supervisors.errors import error_of
from actorflow_supervisors.exit_reason import ExitReason, Killed

RESTARTS: Final = Metric(
    "actorflow.actor.restarts", MetricKind.counter, "{restart}", "Incarnations of actors that were replaced"
)
DEAD_LETTERS: Final = Metric(
    "actorflow.dead_letters", MetricKind.counter, "{message}", "Messages that were dropped or not delivered"
)
ACTOR_METRICS: Final = (RESTARTS, DEAD_LETTERS)


class ActorMetrics:
    """Counts for one system. provider: None means the program's own, which may be set up later."""

    def __init__(self, provider: MeterProvider | None = None) -> None:
        meter = get_meter(names.SCOPE, VERSION, meter_provider=provider)
        self._restarts = meter.create_counter(RESTARTS.name, RESTARTS.unit, RESTARTS.description)
        self._dead_letters = meter.create_counter(DEAD_LETTERS.name, DEAD_LETTERS.unit, DEAD_LETTERS.description)

    def incarnation_ended(self, child: Child, reason: ExitReason, verdict: Verdict) -> None:
        """For the supervisors of a system's actors."""
        if verdict is Verdict.restart and isinstance(child, Cell):
            self._restarts.add(1, {names.ACTOR_TYPE: child.actor_name, names.ERROR_TYPE: error_type(reason)})

    def dead_letter(self, letter: DeadLetter) -> None:
        """For the dead letters of a system."""
        self._dead_letters.add(1, {names.DEAD_LETTER_REASON: letter.reason.value})


def error_type(reason: ExitReason) -> str:
    """Why an incarnation ended: `ValueError`, `shop.OutOfStock`; `signal`, `memory`, `timeout`; else `normal` or so."""
    error = error_of(reason)
    if error is not None:
        kind = type(error)
        return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return reason.cause if isinstance(reason, Killed) else type(reason).__name__.lower()
