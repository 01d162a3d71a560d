"""How the end of a placed actor's process is told, where native code, or a stray write, was at fault."""

from __future__ import annotations

import pytest

from actorflow import ActorSystem, Subprocess
from actorflow.errors import ActorCrashed, ProcessLost
from actorflow_transports.frame import header_of
from tests.actors.placement.crew import Clerk
from tests.faults.leaks import leak_audit as leak_audit

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("leak_audit")]


async def test_a_crash_in_native_code_is_told_by_the_first_line_of_its_dump_and_the_handler() -> None:
    async with ActorSystem() as actors:
        clerk = await actors.spawn(Clerk, placement=Subprocess(), restart="temporary")

        with pytest.raises(ActorCrashed) as crash:
            await clerk.ask(Clerk.segfaults)

    lost = crash.value.error
    assert isinstance(lost, ProcessLost)
    first, where, *frames = lost.last_lines.splitlines()
    assert first == "Fatal Python error: Segmentation fault"
    assert where.startswith("Current thread")
    assert any("in segfaults" in frame for frame in frames)
    assert lost.brief.endswith("it last wrote: Fatal Python error: Segmentation fault")


@pytest.mark.parametrize("data", [b"\xff" * 64, header_of(3, max_frame_bytes=100) + b"abc"])
async def test_a_process_that_writes_what_is_no_frame_is_killed_and_counted(data: bytes) -> None:
    async with ActorSystem() as actors:
        clerk = await actors.spawn(Clerk, placement=Subprocess())

        with pytest.raises(ActorCrashed, match=r"ended by its owner: it wrote what is no frame \("):
            await clerk.ask(Clerk.garbles, data)

        assert await clerk.ask(Clerk.add) == 1
        assert actors.frame_errors == 1
