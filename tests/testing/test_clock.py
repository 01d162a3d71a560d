"""The virtual clock: hours pass at once, and what would take real time is an error that says so."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from actorflow.testing.clock import LoopName, VirtualTimeError, is_virtual, pending, run_virtual, settle


def test_time_starts_at_zero_and_an_hour_passes_at_once(loop: LoopName) -> None:
    async def main() -> tuple[float, float]:
        begun_s = anyio.current_time()
        await anyio.sleep(3600)
        return begun_s, anyio.current_time()

    assert run_virtual(main, backend=loop) == (0.0, 3600.0)


def test_timers_fire_in_the_order_in_which_they_are_due(loop: LoopName) -> None:
    fired: list[tuple[float, str]] = []

    async def wait(seconds: float, name: str) -> None:
        await anyio.sleep(seconds)
        fired.append((anyio.current_time(), name))

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            for seconds, name in ((30, "late"), (0.5, "soon"), (7200, "last")):
                tasks.start_soon(wait, seconds, name)

    run_virtual(main, backend=loop)

    assert fired == [(0.5, "soon"), (30.0, "late"), (7200.0, "last")]


def test_arguments_go_in_and_the_result_comes_out(loop: LoopName) -> None:
    async def main(one: int, two: int) -> int:
        return one + two

    assert run_virtual(main, 1, 2, backend=loop) == 3


def test_settling_runs_all_that_is_ready_and_lets_no_time_pass(loop: LoopName) -> None:
    steps: list[str] = []

    async def busy() -> None:
        for _ in range(50):
            await anyio.lowlevel.checkpoint()
        steps.append("ready work is done")
        await anyio.sleep(1)
        steps.append("a second has passed")

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(busy)
            await settle()
            steps.append(f"settled at {anyio.current_time()}")

    run_virtual(main, backend=loop)

    assert steps == ["ready work is done", "settled at 0.0", "a second has passed"]


def test_two_tasks_may_settle_at_once(loop: LoopName) -> None:
    async def main() -> float:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(settle)
            tasks.start_soon(settle)
        return anyio.current_time()

    assert run_virtual(main, backend=loop) == 0.0


def test_a_deadlock_is_an_error_that_names_who_waits_and_where(loop: LoopName) -> None:
    async def wait_in_vain() -> None:
        await anyio.Event().wait()

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait_in_vain, name="the one in vain")

    with pytest.raises(
        VirtualTimeError,
        match=r"deadlock: every task waits(.|\n)*the one in vain at .*test_clock.py:\d+ in wait_in_vain",
    ):
        run_virtual(main, backend=loop)


def test_a_deadlock_still_lets_the_tasks_clean_up_on_virtual_time(loop: LoopName) -> None:
    cleaned: list[float] = []

    async def main() -> None:
        try:
            await anyio.Event().wait()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(60)
            cleaned.append(anyio.current_time())

    with pytest.raises(VirtualTimeError, match="deadlock"):
        run_virtual(main, backend=loop)

    assert cleaned == [60.0]


async def wait_for_a_thread() -> None:
    gate = anyio.Event()

    def work() -> None:
        anyio.from_thread.run(gate.wait)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.to_thread.run_sync, work)
        try:
            await anyio.sleep(1)
        finally:
            gate.set()


async def wait_for_a_socket() -> None:
    one, other = socket.socketpair()
    with one, other:
        one.setblocking(False)
        await anyio.wait_readable(one)


@pytest.mark.parametrize(("main", "said"), [(wait_for_a_thread, "thread"), (wait_for_a_socket, "socket")])
def test_waiting_for_what_takes_real_time_is_an_error(
    main: Callable[[], Awaitable[None]], said: str, loop: LoopName
) -> None:
    with pytest.raises(VirtualTimeError, match=f"{said}.*virtual time cannot.*time would jump past it"):
        run_virtual(main, backend=loop)


def test_the_loops_own_executor_is_refused_before_it_starts() -> None:
    import asyncio

    async def main() -> None:
        await asyncio.get_running_loop().run_in_executor(None, print)

    with pytest.raises(VirtualTimeError, match="print would run in a thread"):
        run_virtual(main)


def test_an_error_of_the_program_comes_out_as_it_is(loop: LoopName) -> None:
    async def main() -> None:
        await anyio.sleep(5)
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        run_virtual(main, backend=loop)


@pytest.mark.anyio
async def test_the_fixture_gives_a_test_virtual_time() -> None:
    assert is_virtual()
    await anyio.sleep(1_000_000)
    await settle()


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_a_loop_on_real_time_is_seen() -> None:
    assert not is_virtual()


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_settling_on_real_time_is_an_error() -> None:
    with pytest.raises(VirtualTimeError, match="on real time"):
        await settle()


@pytest.mark.anyio
async def test_what_is_left_are_tasks_and_timers() -> None:
    found = [await pending()]

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.sleep, 60, name="a sleeper")
        found.append(await pending())
        tasks.cancel_scope.cancel()
    found.append(await pending())

    before, meanwhile, after = found
    assert sorted(set(meanwhile[0]) - set(before[0])) == ["a sleeper"]
    assert after == before
