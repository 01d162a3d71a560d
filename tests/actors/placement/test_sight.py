"""What runs in the process of a placed actor is seen in the tree: process, handler, children; also in text."""

from __future__ import annotations

import anyio
import pytest

from actorflow import ActorSystem, Subprocess
from actorflow.actors.observer import LOOK_S, ActorTree, PlacedProcess
from actorflow.actors.placement.frames import Kind, pack_frame
from actorflow.actors.placement.passing import CODEC
from actorflow.actors.ref import cell_of
from actorflow.actors.tree_view import text_lines
from actorflow.errors import ActorCrashed
from actorflow_supervisors.exit_reason import Crashed
from actorflow_supervisors.tree import ChildState
from actorflow_transports.frame import header_of
from tests.actors.placement.crew import Clerk, Gate
from tests.faults.leaks import leak_audit as leak_audit

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("leak_audit")]


async def test_its_process_and_the_children_there_are_seen() -> None:
    async with ActorSystem() as actors:
        clerk = await actors.spawn(Clerk, name="clerk", placement=Subprocess())
        apprentice = await clerk.ask(Clerk.hires)
        await apprentice.ask(Clerk.add, 3)

        (tree,) = await actors.look()

        assert tree.process is not None
        assert tree.process.pid == await clerk.ask(Clerk.pid)
        (child,) = tree.children
        assert (child.path, child.actor, child.state) == ("clerk/apprentice", "Clerk", "running")
        assert child.handled_messages == 1
        assert child.process is None
        assert tree.to_json()["process"] == {"pid": tree.process.pid, "rss_bytes": tree.process.rss_bytes}


async def test_what_has_crashed_there_says_why() -> None:
    async with ActorSystem() as actors:
        clerk = await actors.spawn(Clerk, placement=Subprocess())
        apprentice = await clerk.ask(Clerk.hires)
        await apprentice.tell(Clerk.raises)
        await apprentice.ask(Clerk.get)

        (tree,) = await actors.look()

        (child,) = tree.children
        assert child.restarts == 1
        assert isinstance(child.last_exit, Crashed)
        assert isinstance(child.last_exit.error, ValueError)


async def test_the_handler_that_its_process_is_at_is_seen_at_once() -> None:
    async with ActorSystem() as actors:
        gate = await actors.spawn(Gate)
        clerk = await actors.spawn(Clerk, placement=Subprocess())
        await clerk.tell(Clerk.holds, gate)
        actor = cell_of(gate).actor
        assert isinstance(actor, Gate)
        await actor.arrived.wait()

        busy = actors.tree()[1].current_handler
        await gate.tell(Gate.lets_in)
        await clerk.ask(Clerk.get)
        idle = actors.tree()[1].current_handler

        assert (busy, idle) == ("holds", None)


async def test_a_process_that_does_not_answer_is_shown_as_it_last_was() -> None:
    async with ActorSystem() as actors:
        clerk = await actors.spawn(Clerk, placement=Subprocess(), shutdown_s=0.1)
        await clerk.ask(Clerk.hires)
        before = await actors.look()
        await clerk.tell(Clerk.blocks)

        with anyio.fail_after(20 * LOOK_S):
            (tree,) = await actors.look()

        assert [child.path for child in tree.children] == [child.path for child in before[0].children]
        assert len(tree.children) == 1


async def test_an_actor_between_two_processes_has_none() -> None:
    async with ActorSystem() as actors:
        clerk = await actors.spawn(Clerk, placement=Subprocess(), restart="temporary")
        await actors.stop(clerk)
        await actors.spawn(Clerk, name="here")

        (tree,) = await actors.look()

        assert tree.process is None


async def test_text_names_the_process() -> None:
    async with ActorSystem() as actors:
        await actors.spawn(Clerk, name="clerk", placement=Subprocess())
        (tree,) = actors.tree()
    process = tree.process
    assert process is not None

    _, row = text_lines([tree.to_json()])

    assert row.startswith(f"clerk (pid {process.pid}")


def test_memory_stands_behind_the_process_once_it_is_known() -> None:
    tree = ActorTree(
        path="a",
        actor="A",
        state=ChildState.running,
        incarnation=1,
        restarts=0,
        last_exit=None,
        queued_messages=0,
        capacity=1,
        handled_messages=0,
        age_s=0.0,
        current_handler=None,
        process=PlacedProcess(4711, 33 << 20),
    )

    assert text_lines([tree.to_json()])[1].startswith("a (pid 4711, 33 MiB)")


async def test_what_is_no_sight_ends_the_process_that_says_it() -> None:
    """It is understood as a frame, but not as what is below an actor."""
    async with ActorSystem() as actors:
        clerk = await actors.spawn(Clerk, placement=Subprocess(), restart="temporary")
        frame = pack_frame([Kind.seen, CODEC.encode([["a"]])])

        with pytest.raises(ActorCrashed, match="it wrote what is no frame"):
            await clerk.ask(Clerk.garbles, header_of(len(frame), max_frame_bytes=1000) + frame)
