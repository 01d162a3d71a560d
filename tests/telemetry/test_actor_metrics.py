"""Restarts and dead letters of actors are counted, and arrive over OTLP."""

from __future__ import annotations

import os
import signal
from functools import partial

import anyio
import pytest
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, PeriodicExportingMetricReader

from actorflow import Actor, Mailbox, Subprocess, TracedActorSystem, handler
from actorflow.actors.dead_letters import DeadLetterReason
from actorflow.errors import ActorCrashed, ActorNotRunning
from actorflow.telemetry.actor_metrics import error_type
from actorflow_supervisors.exit_reason import Crashed, ExitReason, Killed, Normal
from tests.telemetry.receiver import GRPC, HTTP, RECEIVERS, Received, facts

pytestmark = pytest.mark.anyio


class OutOfStock(Exception):
    """Not one of Python's own."""


class Shelf(Actor):
    @handler
    async def falls(self) -> None:
        raise ValueError("gravity")

    @handler
    async def sells(self) -> None:
        raise OutOfStock

    @handler
    async def dies(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    @handler
    async def holds(self, until: anyio.Event) -> None:
        await until.wait()

    @handler
    async def rests(self) -> None:
        pass


def exporter_to(received: Received) -> MetricExporter:
    if received.protocol == GRPC:
        return GrpcExporter(endpoint=received.endpoint, insecure=True)
    return HttpExporter(endpoint=f"{received.endpoint}/v1/metrics")


class Sent:
    """A provider of a test's own, whose counts go over the wire."""

    def __init__(self, received: Received) -> None:
        self.received = received
        self.provider = MeterProvider([PeriodicExportingMetricReader(exporter_to(received))], shutdown_on_exit=False)

    def counts(self, metric: str) -> dict[tuple[object, ...], int]:
        """By the values of its labels, once all of them have arrived."""
        self.provider.shutdown()
        self.received.wait(lambda: metric in self.received.metrics)
        points = self.received.metrics[metric].sum.data_points
        return {tuple(sorted(map(str, facts(point.attributes).values()))): point.as_int for point in points}


@pytest.mark.parametrize("protocol", RECEIVERS)
async def test_restarts_are_counted_by_actor_and_by_what_ended_it(protocol: str) -> None:
    with RECEIVERS[protocol]() as received:
        sent = Sent(received)
        async with TracedActorSystem(meter_provider=sent.provider) as system:
            shelves = [await system.spawn(Shelf) for _ in range(2)]
            for shelf, what in zip([*shelves, shelves[0]], [Shelf.falls, Shelf.falls, Shelf.sells], strict=True):
                with pytest.raises(ActorCrashed):
                    await shelf.ask(what)
                await shelf.ask(Shelf.rests)

        found = sent.counts("actorflow.actor.restarts")

    assert found == {("Shelf", "ValueError"): 2, ("Shelf", f"{__name__}.OutOfStock"): 1}


async def test_the_restart_of_a_placed_actor_is_counted_here() -> None:
    with RECEIVERS[HTTP]() as received:
        sent = Sent(received)
        async with TracedActorSystem(meter_provider=sent.provider) as system:
            shelf = await system.spawn(Shelf, placement=Subprocess())
            with pytest.raises(ActorCrashed):
                await shelf.ask(Shelf.dies)
            await shelf.ask(Shelf.rests)

        assert sent.counts("actorflow.actor.restarts") == {("Shelf", "signal"): 1}


@pytest.mark.parametrize("protocol", RECEIVERS)
async def test_dead_letters_are_counted_by_reason(protocol: str) -> None:
    until = anyio.Event()
    with RECEIVERS[protocol]() as received:
        sent = Sent(received)
        async with TracedActorSystem(meter_provider=sent.provider) as system:
            full = await system.spawn(partial(Shelf), mailbox=Mailbox(capacity=1, overflow="drop_newest"))
            await full.tell(Shelf.holds, until)
            await anyio.wait_all_tasks_blocked()
            for _ in range(4):
                full.try_tell(Shelf.rests)
            until.set()
            await system.stop(full)
            with pytest.raises(ActorNotRunning):
                await full.ask(Shelf.rests)
            full.try_tell(Shelf.rests)
            counted = system.dead_letters.counts

        found = sent.counts("actorflow.dead_letters")

    assert counted[DeadLetterReason.dropped_newest] == 3
    assert found == {(reason.value,): number for reason, number in counted.items()}


async def test_an_actor_that_stays_ended_is_no_restart() -> None:
    with RECEIVERS[HTTP]() as received:
        sent = Sent(received)
        async with TracedActorSystem(meter_provider=sent.provider) as system:
            shelf = await system.spawn(Shelf, restart="temporary")
            with pytest.raises(ActorCrashed):
                await shelf.ask(Shelf.falls)
            shelf.try_tell(Shelf.rests)

        sent.counts("actorflow.dead_letters")
        assert "actorflow.actor.restarts" not in received.metrics


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (Crashed(ValueError()), "ValueError"),
        (Crashed(OutOfStock()), f"{__name__}.OutOfStock"),
        (Killed("memory"), "memory"),
        (Killed("signal", signal=9), "signal"),
        (Normal(), "normal"),
    ],
)
async def test_what_ended_an_incarnation_is_one_word(reason: ExitReason, told: str) -> None:
    assert error_type(reason) == told
