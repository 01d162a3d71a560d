"""Asks through several actors: cycles are named, deadlines and cancellation travel."""

from __future__ import annotations

import anyio
import pytest

from actorflow.actors.actor import Actor
from actorflow.actors.dead_letters import DeadLetterReason
from actorflow.actors.errors import ActorCrashed, AskCycle, AskTimeout
from actorflow.actors.handler import handler
from actorflow.actors.ref import ActorRef
from actorflow.actors.system import ActorSystem

pytestmark = pytest.mark.anyio


class Node(Actor):
    """Asks the next node, if it has one."""

    def __init__(self) -> None:
        self.next: ActorRef[Node] | None = None
        self.hold = anyio.Event()
        self.entered = anyio.Event()
        self.done: list[str] = []

    @handler
    async def join(self, following: ActorRef[Node]) -> None:
        self.next = following

    @handler
    async def go(self) -> str:
        if self.next is None:
            return "end"
        return await self.next.ask(Node.go)

    @handler(raises=(AskCycle,))
    async def go_round(self) -> str:
        assert self.next is not None
        return await self.next.ask(Node.go_round)

    @handler(raises=(AskCycle,))
    async def meet(self) -> str:
        """Wait for the test, then ask the next node to answer at once."""
        assert self.next is not None
        self.entered.set()
        await self.hold.wait()
        return await self.next.ask(Node.name)

    @handler
    async def name(self) -> str:
        return self.context.path

    @handler
    async def slow(self) -> str:
        self.entered.set()
        await self.hold.wait()
        self.done.append("slow")
        if self.next is not None:
            await self.next.ask(Node.slow)
        return "slow"

    @handler
    async def deadline(self) -> float:
        return self.context.deadline_s if self.next is None else await self.next.ask(Node.deadline)

    @handler
    async def aside(self) -> str:
        """Ask the next node from a task beside the handler."""
        got: list[str] = []
        assert self.next is not None

        async def ask(ref: ActorRef[Node]) -> None:
            got.append(await ref.ask(Node.go))

        async with anyio.create_task_group() as group:
            group.start_soon(ask, self.next)
        return got[0]

    @handler(raises=(AskCycle,))
    async def fan_out(self, refs: list[ActorRef[Node]]) -> list[str]:
        """Ask each of `refs` to fan out to the rest, all at once, each from a task two groups down."""
        names: list[str] = []

        async def ask(ref: ActorRef[Node]) -> None:
            names.extend(await ref.ask(Node.fan_out, refs[1:]) or [ref.path])

        async def ask_in_a_group(ref: ActorRef[Node]) -> None:
            async with anyio.create_task_group() as group:
                group.start_soon(ask, ref)

        async with anyio.create_task_group() as group:
            for ref in refs[:1]:
                group.start_soon(ask_in_a_group, ref)
        return names

    @handler
    async def deadline_aside(self) -> float:
        seen: list[float] = []
        assert self.next is not None

        async def ask(ref: ActorRef[Node]) -> None:
            seen.append(await ref.ask(Node.deadline))

        async with anyio.create_task_group() as group:
            group.start_soon(ask, self.next)
        return seen[0]

    @handler
    async def bear(self) -> str:
        """What the next one answers, or that it crashed."""
        assert self.next is not None
        try:
            return await self.next.ask(Node.go)
        except ActorCrashed as error:
            return str(error)

    @handler
    async def incarnation(self) -> int:
        return self.context.incarnation


async def ring(system: ActorSystem, *names: str) -> dict[str, ActorRef[Node]]:
    refs = {name: await system.spawn(Node, name=name) for name in names}
    for name, following in zip(names, [*names[1:], names[0]], strict=True):
        await refs[name].ask(Node.join, refs[following])
    return refs


async def test_16_a_cycle_of_asks_is_named_at_once() -> None:
    async with ActorSystem() as system:
        refs = await ring(system, "a", "b", "c")
        with pytest.raises(AskCycle, match="'c' -> 'a' -> 'b' -> 'c'; tell one of them") as caught:
            await refs["a"].ask(Node.go_round)

    assert caught.value.path == ("c", "a", "b", "c")


async def test_16_an_actor_that_asks_itself_is_a_cycle() -> None:
    async with ActorSystem() as system:
        refs = await ring(system, "a")
        with pytest.raises(AskCycle, match="'a' -> 'a'"):
            await refs["a"].ask(Node.go_round)


async def test_16_a_cycle_that_is_not_declared_crashes_the_asker_with_the_path() -> None:
    async with ActorSystem() as system:
        refs = await ring(system, "a", "b")
        with pytest.raises(ActorCrashed, match="cycle of asks") as caught:
            await refs["a"].ask(Node.go)

    assert "'b' -> 'a' -> 'b'" in caught.value.remote_traceback


async def test_16_two_actors_that_ask_each_other_at_once_are_a_cycle_too() -> None:
    nodes = {"a": Node(), "b": Node()}
    outcomes: list[str] = []

    async def meet(ref: ActorRef[Node]) -> None:
        try:
            outcomes.append(await ref.ask(Node.meet))
        except AskCycle as error:
            outcomes.append(" -> ".join(error.path))

    async with ActorSystem() as system:
        a = await system.spawn(lambda: nodes["a"], name="a")
        b = await system.spawn(lambda: nodes["b"], name="b")
        await a.ask(Node.join, b)
        await b.ask(Node.join, a)
        async with anyio.create_task_group() as group:
            group.start_soon(meet, a)
            group.start_soon(meet, b)
            for node in nodes.values():
                await node.entered.wait()
            nodes["a"].hold.set()
            await anyio.wait_all_tasks_blocked()
            nodes["b"].hold.set()

    assert outcomes == ["b -> a -> b", "b"] or outcomes == ["b", "b -> a -> b"]


async def test_an_ask_that_has_ended_is_no_longer_part_of_any_chain() -> None:
    async with ActorSystem() as system:
        refs = await ring(system, "a", "b")
        with pytest.raises(AskCycle):
            await refs["a"].ask(Node.go_round)

        assert await refs["a"].ask(Node.name) == "a"
        assert await refs["b"].ask(Node.name) == "b"


async def test_a_line_of_actors_answers_end_to_end() -> None:
    async with ActorSystem() as system:
        a = await system.spawn(Node)
        b = await system.spawn(Node)
        await a.ask(Node.join, b)

        assert await a.ask(Node.go) == "end"
        assert await a.ask(Node.aside) == "end"


async def test_17_the_deadline_of_the_first_caller_travels_through_every_hop() -> None:
    async with ActorSystem() as system:
        a, b, c = [await system.spawn(Node) for _ in range(3)]
        await a.ask(Node.join, b)
        await b.ask(Node.join, c)
        with anyio.fail_after(3600):
            expected = anyio.current_effective_deadline()

            assert await a.ask(Node.deadline) == expected


async def test_17_an_ask_that_times_out_in_the_middle_never_starts_the_work_behind_it() -> None:
    nodes = {name: Node() for name in "abc"}

    async with ActorSystem() as system:
        a = await system.spawn(lambda: nodes["a"], name="a")
        b = await system.spawn(lambda: nodes["b"], name="b")
        c = await system.spawn(lambda: nodes["c"], name="c")
        await a.ask(Node.join, b)
        await b.ask(Node.join, c)
        nodes["a"].hold.set()
        with pytest.raises(TimeoutError) as caught:
            await expiring_in(a, nodes["b"])
        await anyio.wait_all_tasks_blocked()
        nodes["b"].hold.set()
        await b.ask(Node.name)

    notes = [note for error in causes_of(caught.value) for note in getattr(error, "__notes__", [])]
    assert "while waiting for slow of a -> b" in notes
    assert nodes["a"].done == ["slow"]
    assert nodes["b"].done == []
    assert not nodes["c"].entered.is_set()


async def expiring_in(first: ActorRef[Node], middle: Node) -> None:
    """Ask `first`, with a deadline that passes when the work has arrived at `middle`."""
    with anyio.fail_after(3600) as scope:
        async with anyio.create_task_group() as group:

            async def expire() -> None:
                await middle.entered.wait()
                await anyio.wait_all_tasks_blocked()
                scope.deadline = anyio.current_time()

            group.start_soon(expire)
            await first.ask(Node.slow)


def causes_of(error: BaseException | None) -> list[BaseException]:
    """`error`, what it was raised in the handling of, and so on, with the members of groups."""
    if error is None:
        return []
    inner: tuple[BaseException, ...] = getattr(error, "exceptions", ())
    return [error, *(found for one in (*inner, error.__context__) for found in causes_of(one))]


async def test_17_work_whose_deadline_has_passed_is_skipped_and_its_asker_told() -> None:
    node = Node()
    outcomes: list[str] = []

    async with ActorSystem() as system:
        ref = await system.spawn(lambda: node, name="node")

        async def ask() -> None:
            try:
                with anyio.fail_after(3600):
                    await ref.ask(Node.slow)
            except AskTimeout as error:
                outcomes.append(str(error))

        await ref.tell(Node.slow)
        await node.entered.wait()
        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            system.seam.now_s = lambda: anyio.current_time() + 7200
            node.hold.set()

    assert outcomes == ["no reply to slow from 'node': its deadline had passed before its turn came, so it was skipped"]
    assert node.done == ["slow"]
    assert system.dead_letters.counts == {DeadLetterReason.expired: 1}


async def test_a_cancelled_ask_ends_every_handler_that_works_for_it() -> None:
    nodes = {name: Node() for name in "ab"}

    async with ActorSystem() as system:
        a = await system.spawn(lambda: nodes["a"], name="a")
        b = await system.spawn(lambda: nodes["b"], name="b")
        await a.ask(Node.join, b)
        nodes["a"].hold.set()
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(a.ask, Node.slow)
                await nodes["b"].entered.wait()
                scope.cancel()

        assert await a.ask(Node.name) == "a"
        assert await b.ask(Node.name) == "b"
        assert system.tree()[0].incarnation == system.tree()[1].incarnation == 1
    assert nodes["b"].done == []


async def test_16_a_cycle_through_a_task_group_of_a_handler_is_named_at_once() -> None:
    async with ActorSystem() as system:
        a, b, c = [await system.spawn(Node, name=name) for name in "abc"]
        with pytest.raises(AskCycle) as caught:
            await a.ask(Node.fan_out, [b, c, a])

        assert caught.value.path == ("c", "a", "b", "c")
        assert await a.ask(Node.fan_out, [b, c]) == ["c"]


async def test_17_a_deadline_travels_with_asks_from_a_task_group_of_a_handler() -> None:
    async with ActorSystem() as system:
        refs = {name: await system.spawn(Node, name=name) for name in "ab"}
        await refs["a"].ask(Node.join, refs["b"])
        with anyio.fail_after(1_000) as scope:
            seen_s = await refs["a"].ask(Node.deadline_aside)

    assert seen_s == scope.deadline


async def test_16_a_cycle_that_nobody_catches_crashes_who_asked_and_not_who_was_to_be_asked() -> None:
    async with ActorSystem() as system:
        refs = await ring(system, "a", "b")

        assert "cycle of asks: 'b' -> 'a' -> 'b'" in await refs["a"].ask(Node.bear)
        assert await refs["a"].ask(Node.incarnation) == 1
        assert await refs["b"].ask(Node.incarnation) == 2
