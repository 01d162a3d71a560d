"""Tracing in the terminal: where to look, told as the run begins, and what could not be delivered, told at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from actorflow.cli.complaint import refusal
from actorflow.cli.spans import dim, line, warn
from actorflow.cli.streams import Notes
from actorflow.compose import telemetry_of
from actorflow.runs.events import Record, RunStarted
from actorflow.runs.executor import Executor
from actorflow.telemetry.choice import HELP, TelemetryMissing, TelemetryRefused, require_opentelemetry

if TYPE_CHECKING:
    from actorflow.telemetry.run_telemetry import RunTelemetry


class ToldTelemetry:
    """A run's telemetry, in words for who watches it. quiet: only what went wrong."""

    def __init__(self, inner: RunTelemetry, notes: Notes, *, quiet: bool) -> None:
        self._inner = inner
        self._notes = notes
        self._quiet = quiet

    def begin(self, header: RunStarted) -> RunStarted:
        return self._inner.begin(header)

    def replay(self, record: Record) -> None:
        self._inner.replay(record)

    def around(self, executors: Mapping[str, Executor]) -> Mapping[str, Executor]:
        if not self._quiet:
            self._notes.say(line(dim(f"tracing to {self._inner.where}, trace {self._inner.trace_id}")))
        return self._inner.around(executors)

    def observe(self, records: Sequence[Record]) -> None:
        self._inner.observe(records)

    def close(self) -> None:
        delivery = self._inner.close()
        if not delivery.is_complete:
            self._notes.insist([line(warn("tracing"), f" {delivery.in_words(self._inner.where)}")])


def require_tracing() -> None:
    """Raises a usage error where OpenTelemetry is not installed."""
    try:
        require_opentelemetry()
    except TelemetryMissing as error:
        raise refusal("--trace needs OpenTelemetry, which is not installed", HELP) from error


def told_telemetry(notes: Notes, *, quiet: bool) -> ToldTelemetry:
    """The telemetry of one run; once the user's file is imported, since that may set a provider up."""
    try:
        return ToldTelemetry(telemetry_of(True), notes, quiet=quiet)
    except TelemetryRefused as error:
        raise refusal(f"--trace: {error}", "see docs/telemetry.md for the OTEL_* variables") from error
