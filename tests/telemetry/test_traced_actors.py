"""Messages as spans: an ask and what it asks are one trace, whatever happens to it, and no trace outlives its ask."""

from __future__ import annotations

import anyio
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from actorflow import Actor, ActorRef, TracedActorSystem, handler
from actorflow.errors import ActorCrashed

pytestmark = pytest.mark.anyio


class OutOfStock(Exception):
    """A declared answer."""


class Shelf(Actor):
    @handler
    async def take(self, number: int) -> int:
        return number

    @handler(raises=(OutOfStock,))
    async def sell(self) -> None:
        raise OutOfStock

    @handler
    async def falls(self) -> None:
        raise ValueError("gravity")


class Clerk(Actor):
    def __init__(self, shelf: ActorRef[Shelf] | None = None) -> None:
        self.shelf = shelf

    @handler
    async def serve(self, number: int) -> int:
        assert self.shelf is not None
        await self.shelf.tell(Shelf.take, number)
        return await self.shelf.ask(Shelf.take, number)


class Spans:
    """What was sent to the provider of a test."""

    def __init__(self) -> None:
        self.sent = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self.sent))

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.sent.get_finished_spans() if span.name == name]


@pytest.fixture
def spans() -> Spans:
    return Spans()


def parent_of(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


def own_id(span: ReadableSpan) -> int:
    found = span.context
    assert found is not None
    return int(found.span_id)


def trace_of(span: ReadableSpan) -> int:
    found = span.context
    assert found is not None
    return int(found.trace_id)


@pytest.mark.parametrize("strict", [False, True])
async def test_25_each_of_a_thousand_asks_is_one_connected_trace_of_its_own(spans: Spans, strict: bool) -> None:
    async with TracedActorSystem(provider=spans.provider, strict=strict) as system:
        shelf = await system.spawn(Shelf, name="shelf")
        clerk = await system.spawn(lambda: Clerk(shelf), name="clerk")
        for number in range(1000):
            assert await clerk.ask(Clerk.serve, number) == number
        await shelf.ask(Shelf.take, -1)

    serving, taking = spans.named("Clerk.serve"), spans.named("Shelf.take")
    of_serving = {own_id(span): trace_of(span) for span in serving}
    assert len(of_serving) == 1000
    assert len(set(of_serving.values())) == 1000
    assert len(taking) == 2001
    assert sorted(parent_of(span) or 0 for span in taking)[1:] == sorted([*of_serving] * 2)
    assert all(trace_of(span) == of_serving[parent_of(span) or 0] for span in taking if parent_of(span))


async def test_a_message_from_a_span_of_the_program_is_its_child(spans: Spans) -> None:
    async with TracedActorSystem(provider=spans.provider) as system:
        shelf = await system.spawn(Shelf)
        with trace.get_tracer("mine", tracer_provider=spans.provider).start_as_current_span("mine"):
            await shelf.ask(Shelf.take, 1)
        assert shelf.try_tell(Shelf.take, 2)
        await shelf.ask(Shelf.take, 3)

    (mine,) = spans.named("mine")
    parents = [parent_of(span) for span in spans.named("Shelf.take")]
    assert parents == [own_id(mine), None, None]


async def test_a_crash_is_an_error_of_its_span_and_a_declared_answer_is_none(spans: Spans) -> None:
    async with TracedActorSystem(provider=spans.provider) as system:
        shelf = await system.spawn(Shelf, name="shelf")
        with pytest.raises(ActorCrashed):
            await shelf.ask(Shelf.falls)
        with pytest.raises(OutOfStock):
            await shelf.ask(Shelf.sell)

    (falls,), (sell,) = spans.named("Shelf.falls"), spans.named("Shelf.sell")
    assert falls.status.status_code is StatusCode.ERROR
    assert falls.status.description == "ValueError: gravity"
    assert sell.status.status_code is StatusCode.UNSET
    assert falls.attributes is not None
    assert dict(falls.attributes)["actorflow.actor.path"] == "shelf"


async def serve(clerk: ActorRef[Clerk], number: int) -> None:
    assert await clerk.ask(Clerk.serve, number) == number


async def test_spans_of_two_actors_at_work_at_once_do_not_mix(spans: Spans) -> None:
    async with TracedActorSystem(provider=spans.provider) as system:
        shelf = await system.spawn(Shelf)
        clerks = [await system.spawn(lambda: Clerk(shelf), name=f"clerk-{number}") for number in range(5)]
        async with anyio.create_task_group() as tasks:
            for number, clerk in enumerate(clerks):
                tasks.start_soon(serve, clerk, number)

    serving = {own_id(span): trace_of(span) for span in spans.named("Clerk.serve")}
    assert all(serving[parent_of(span) or 0] == trace_of(span) for span in spans.named("Shelf.take"))
