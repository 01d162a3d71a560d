"""A strict system sends each message as it would travel to another process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import pytest
from pydantic import BaseModel

from actorflow.actors.actor import Actor
from actorflow.actors.deferred import Deferred
from actorflow.actors.errors import MessageRefused
from actorflow.actors.handler import handler
from actorflow.actors.mailbox import Mailbox
from actorflow.actors.ref import ActorRef
from actorflow.actors.system import ActorSystem

pytestmark = pytest.mark.anyio


@dataclass
class Job:
    path: Path
    tags: set[str]


@dataclass
class Rows:
    rows: list[Any]


@dataclass(frozen=True)
class Step:
    worker: ActorRef[Any]
    others: dict[str, tuple[ActorRef[Any], ...]]


class Named(NamedTuple):
    worker: ActorRef[Any]


class Model(BaseModel):
    ref: ActorRef[Any]


@dataclass
class Plan:
    steps: list[Step]
    named: Named
    model: Model


class Worker(Actor):
    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.later: Deferred[int] | None = None

    @handler
    async def take(self, job: Job, *, times: int = 1) -> Job:
        self.jobs += [job] * times
        return self.jobs[-1]

    @handler
    async def keep(self, plan: Plan) -> Plan:
        return plan

    @handler
    async def rows(self, by: Rows, *more: Any) -> int:
        return len(by.rows) + len(more)

    @handler
    async def count(self) -> int:
        return len(self.jobs)

    @handler
    async def lie(self) -> int:
        return "five"  # type: ignore[return-value]  # pyright: ignore

    @handler
    async def share(self) -> Any:
        return object()

    @handler
    async def defer(self, answer: int) -> int:
        self.later = self.context.defer()
        await self.context.ref.tell(Worker.settle, answer)
        return self.later.hold()

    @handler
    async def settle(self, answer: int) -> None:
        assert self.later is not None
        self.later.reply(answer)

    @handler
    async def count_of(self, others: list[ActorRef[Worker]]) -> int:
        return sum([await other.ask(Worker.count) for other in others])


async def test_a_strict_system_gives_equal_values_that_are_not_shared() -> None:
    job = Job(Path("a"), {"x"})

    async with ActorSystem(strict=True) as system:
        worker = await system.spawn(Worker)
        got = await worker.ask(Worker.take, job)
        job.tags.add("changed here")
        got.tags.add("changed there")

        assert await worker.ask(Worker.take, Job(Path("b"), set()), times=2) == Job(Path("b"), set())
        assert await worker.ask(Worker.count) == 3
    assert got == Job(Path("a"), {"x", "changed there"})


async def test_an_argument_that_cannot_travel_is_refused_at_its_sender() -> None:
    async with ActorSystem(strict=True) as system:
        worker = await system.spawn(Worker, name="worker")
        with pytest.raises(MessageRefused, match="arguments of take for 'worker' cannot travel"):
            await worker.ask(Worker.take, object())  # type: ignore[arg-type]  # pyright: ignore
        with pytest.raises(MessageRefused):
            await worker.tell(Worker.take, object())  # type: ignore[arg-type]  # pyright: ignore
        with pytest.raises(MessageRefused):
            worker.try_tell(Worker.take, object())  # type: ignore[arg-type]  # pyright: ignore

        assert await worker.ask(Worker.count) == 0


async def test_an_argument_of_another_type_is_refused_and_crashes_nobody() -> None:
    async with ActorSystem(strict=True) as system:
        worker = await system.spawn(Worker)
        with pytest.raises(MessageRefused, match="times"):
            await worker.ask(Worker.take, Job(Path("a"), set()), times="2")  # type: ignore[arg-type]  # pyright: ignore
        with pytest.raises(MessageRefused, match="job"):
            await worker.ask(Worker.take)  # type: ignore[call-arg]  # pyright: ignore

        assert await worker.ask(Worker.count) == 0
        assert system.tree()[0].incarnation == 1


async def test_a_reply_of_another_type_or_that_cannot_travel_is_refused() -> None:
    async with ActorSystem(strict=True) as system:
        worker = await system.spawn(Worker)
        with pytest.raises(MessageRefused, match="not of its declared type"):
            await worker.ask(Worker.lie)
        with pytest.raises(MessageRefused, match="reply of share"):
            await worker.ask(Worker.share)

        assert system.tree()[0].incarnation == 1


async def test_a_deferred_reply_travels_too() -> None:
    async with ActorSystem(strict=True) as system:
        worker = await system.spawn(Worker)

        assert await worker.ask(Worker.defer, 7) == 7


async def test_references_pass_as_themselves() -> None:
    async with ActorSystem(strict=True) as system:
        worker = await system.spawn(Worker)
        other = await system.spawn(Worker)
        await other.tell(Worker.take, Job(Path("a"), set()))

        assert await worker.ask(Worker.count_of, [other, other]) == 2


async def test_references_pass_inside_whatever_holds_them() -> None:
    async with ActorSystem(strict=True) as system:
        worker = await system.spawn(Worker)
        plan = Plan([Step(worker, {"also": (worker,)})], Named(worker), Model(ref=worker))

        got = await worker.ask(Worker.keep, plan)

        assert got == plan
        assert got is not plan
        assert await got.steps[0].worker.ask(Worker.count) == 0
        assert plan.steps[0].worker is worker


async def test_a_refusal_names_the_parameter_and_the_place_in_it() -> None:
    async with ActorSystem(strict=True) as system:
        worker = await system.spawn(Worker, name="worker")
        with pytest.raises(MessageRefused, match=r"process: by\.rows\[3\]: cannot encode object"):
            await worker.ask(Worker.rows, Rows([1, 2, 3, object()]))
        with pytest.raises(MessageRefused, match=r"process: by\.rows\[0\]: cannot encode object"):
            await worker.tell(Worker.rows, by=Rows([object()]))
        with pytest.raises(MessageRefused, match=r"process: more\[1\]: cannot encode object"):
            await worker.ask(Worker.rows, Rows([]), 1, object())
        with pytest.raises(MessageRefused, match=r"reply of share from .* reply: cannot encode object"):
            await worker.ask(Worker.share)


async def test_a_strict_mailbox_is_bounded_like_any_other() -> None:
    async def send(ref: ActorRef[Worker]) -> None:
        await ref.tell(Worker.take, Job(Path("a"), set()))

    async with ActorSystem(strict=True, mailbox=Mailbox(1)) as system, anyio.create_task_group() as group:
        worker = await system.spawn(Worker)
        for _ in range(5):
            group.start_soon(send, worker)
        await anyio.wait_all_tasks_blocked()

        assert await worker.ask(Worker.count) == 5


async def test_a_signature_that_cannot_be_validated_fails_the_spawn() -> None:
    class Odd(Actor):
        @handler  # pyright: ignore
        async def take(self, what: Unknown) -> None: ...  # type: ignore[name-defined]  # noqa: F821  # pyright: ignore

    async with ActorSystem(strict=True) as system:
        with pytest.raises(Exception, match=r"signature of .*Odd\.take cannot be validated"):
            await system.spawn(Odd)
