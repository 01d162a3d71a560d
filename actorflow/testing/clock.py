"""Virtual clock: when nothing is left to do but wait, time jumps to the next timer, on asyncio and on trio alike.

For code that waits for nothing but timers and its own tasks. A thread or a socket that is waited for would take real
time, which the jumps would leave behind; `run_virtual` raises VirtualTimeError in place of that, and for a deadlock.
"""

from __future__ import annotations

import asyncio
import math
import selectors
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, TypeVarTuple

import anyio

from actorflow.actors.errors import ActorflowError
from actorflow.testing.schedule import pick_seed, seed_told_on_failure, seeded_schedule
from actorflow_supervisors.loop import current_seam

if TYPE_CHECKING:
    import trio

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

LoopName: TypeAlias = Literal["asyncio", "trio"]
Backend: TypeAlias = tuple[str, dict[str, Any]]

LIBRARIES = ("asyncio", "trio", "anyio", "types")
SHOWN_TASKS = 10
"""Waiting tasks that an error names."""
NEEDS_VIRTUAL_TIME = "this loop is on real time: run it by run_virtual(), or with virtual_backend() as anyio_backend"
SOCKET = (
    "a socket or pipe, which virtual time cannot do: time would jump past it; "
    "give the code under test an in-process connection, or run it on real time"
)
JUMP_CUSHION_S = 1e-9
"""Real seconds of quiet before trio's clock jumps; more than the 0 of `settle`, which therefore goes first."""


class VirtualTimeError(ActorflowError):
    """Virtual time cannot go on: a deadlock, or something waits for a thread or a socket."""


def run_virtual(
    main: Callable[..., Awaitable[T]], *args: object, backend: LoopName = "asyncio", seed: int | None = None
) -> T:
    """Run `main(*args)` in a loop of its own on virtual time, which starts at 0, and return its result.

    seed: of the order in which trio runs its tasks; without one it is ACTORFLOW_SEED of the environment, else drawn.
    asyncio runs its tasks first in, first out, whatever the seed. An error that leaves `main` has a note with the seed.
    Raises VirtualTimeError.
    """
    chosen = pick_seed(seed)
    with seed_told_on_failure(chosen, backend):
        if backend == "asyncio":
            return anyio.run(main, *args, backend="asyncio", backend_options={"loop_factory": VirtualLoop})
        with seeded_schedule(chosen):
            return _run_trio(main, args)


def virtual_backend(name: str) -> Backend:
    """What anyio's pytest fixture `anyio_backend` returns to run each test on a virtual clock of its own.

    On trio this clock jumps over threads and sockets, and a deadlock waits for ever: only `run_virtual` tells them.
    """
    if name == "asyncio":
        factory: Callable[[], asyncio.AbstractEventLoop] = VirtualLoop
        return name, {"loop_factory": factory}
    import trio.testing

    return name, {"clock": trio.testing.MockClock(autojump_threshold=0)}


def is_virtual() -> bool:
    """True if the running loop is on virtual time."""
    if current_seam().name == "asyncio":
        return isinstance(asyncio.get_running_loop(), VirtualLoop)
    import trio.testing

    return isinstance(trio.lowlevel.current_clock(), trio.testing.MockClock)


async def settle() -> None:
    """Return once no other task can go on without time passing; no time passes meanwhile."""
    if current_seam().name == "asyncio":
        loop = asyncio.get_running_loop()
        if not isinstance(loop, VirtualLoop):
            raise VirtualTimeError(NEEDS_VIRTUAL_TIME)
        await loop.idle()
        return
    import trio.testing

    await trio.testing.wait_all_tasks_blocked(0.0)


async def pending() -> tuple[tuple[str, ...], int]:
    """After settling: the names of all tasks but this one, and how many timers are set (on trio they are tasks)."""
    await settle()
    own = anyio.get_current_task().id
    names = tuple(sorted(task.name or "" for task in anyio.get_running_tasks() if task.id != own))
    if current_seam().name == "asyncio":
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        return names, loop.timers
    return names, 0


# asyncio


class _JumpingSelector(selectors.DefaultSelector):
    """Never waits: a wait with a limit moves the clock by it, a wait without one is a deadlock."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.is_sealed = False
        self.settling: list[asyncio.Future[None]] = []
        self._known_threads = set(threading.enumerate())

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        if self.is_sealed:
            raise VirtualTimeError(f"a task waits for {SOCKET}")
        return super().register(fileobj, events, data)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if self.settling:
            settling, self.settling = self.settling, []
            for future in settling:
                if not future.done():
                    future.set_result(None)
            return []
        self._refuse_threads()
        if timeout is None:
            raise _deadlock(_asyncio_places())
        self.now_s += timeout
        return []

    def _refuse_threads(self) -> None:
        # Daemons are left out: nobody waits for them.
        started = [one for one in threading.enumerate() if one not in self._known_threads and not one.daemon]
        if started:
            raise _thread_error(f"thread {started[0].name!r} was started")


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio loop on virtual time, for code without threads and without I/O."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)
        self._jumping.is_sealed = True

    def time(self) -> float:
        return self._jumping.now_s

    @property
    def timers(self) -> int:
        """How many timers are set."""
        scheduled: list[asyncio.TimerHandle] = getattr(self, "_scheduled")  # noqa: B009 - asyncio shows it nowhere
        return sum(not handle.cancelled() for handle in scheduled)

    async def idle(self) -> None:
        """Return once nothing is ready; no time passes meanwhile."""
        future = self.create_future()
        self._jumping.settling.append(future)
        await future

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        raise _thread_error(f"{getattr(func, '__qualname__', func)} would run in a thread")


def _asyncio_places() -> list[str]:
    tasks = asyncio.all_tasks(asyncio.get_running_loop())
    return sorted(f"{task.get_name()} {_place(task.get_coro())}" for task in tasks)


# trio


def _run_trio(main: Callable[..., Awaitable[T]], args: tuple[object, ...]) -> T:
    import trio.testing

    # The keeper moves the clock, since it can tell a deadlock; autojump takes over once it has been cancelled.
    clock = trio.testing.MockClock(autojump_threshold=0)
    faults: list[VirtualTimeError] = []

    async def guarded() -> T:
        scope = trio.CancelScope()
        await trio.testing.wait_all_tasks_blocked()
        trio.lowlevel.spawn_system_task(_keep_time, clock, scope, faults, _waits_for_io())
        try:
            with scope:
                return await main(*args)
        except BaseException as error:
            for fault in faults:
                error.add_note(str(fault))
            raise
        raise faults[0]

    return anyio.run(guarded, backend="trio", backend_options={"clock": clock})


async def _keep_time(
    clock: trio.testing.MockClock, main: trio.CancelScope, faults: list[VirtualTimeError], own_waits: int
) -> None:
    """Whenever nothing is ready, move `clock` to the next timer; end `main` where that would be wrong.

    own_waits: how many of trio's own tasks wait for a socket.
    """
    import trio.testing

    while True:
        await trio.testing.wait_all_tasks_blocked(JUMP_CUSHION_S)
        fault = _fault(own_waits)
        if fault is not None:
            faults.append(fault)
            main.cancel()
            return
        clock.jump(trio.lowlevel.current_statistics().seconds_to_next_deadline)


def _fault(own_waits: int) -> VirtualTimeError | None:
    import trio

    if trio.to_thread.current_default_thread_limiter().borrowed_tokens:
        return _thread_error("a task waits for a thread")
    if _waits_for_io() > own_waits:
        return VirtualTimeError(f"a task waits for {SOCKET}")
    if trio.lowlevel.current_statistics().seconds_to_next_deadline == math.inf:
        return _deadlock(_trio_places(trio.lowlevel.current_root_task()))
    return None


def _waits_for_io() -> int:
    """How many tasks wait for a socket or pipe; trio's counts are called differently on each system."""
    import trio

    counts = trio.lowlevel.current_statistics().io_statistics
    return sum(getattr(counts, name, 0) for name in ("tasks_waiting_read", "tasks_waiting_write", "tasks_waiting"))


def _trio_places(root: trio.lowlevel.Task | None) -> list[str]:
    found: list[str] = []
    rest = [] if root is None else [root]
    while rest:
        task = rest.pop()
        rest += [child for nursery in task.child_nurseries for child in nursery.child_tasks]
        if not task.child_nurseries and not task.name.startswith(("<", "actorflow.testing.")):
            found.append(f"{task.name} {_place(task.coro)}")
    return sorted(found)


# Errors


def _thread_error(what: str) -> VirtualTimeError:
    return VirtualTimeError(
        f"{what}, which virtual time cannot wait for: time would jump past it; "
        "pass the code under test something that needs no thread, or run it on real time"
    )


def _deadlock(places: list[str]) -> VirtualTimeError:
    shown = "".join(f"\n  {place}" for place in places[:SHOWN_TASKS])
    more = f"\n  and {len(places) - SHOWN_TASKS} more" if len(places) > SHOWN_TASKS else ""
    return VirtualTimeError(f"deadlock: every task waits, and no timer is set{shown}{more}")


def _place(coro: object) -> str:
    """Where a suspended coroutine stands: the innermost frame that belongs to no library of loops."""
    frame = None
    while coro is not None:
        here = getattr(coro, "cr_frame", None) or getattr(coro, "gi_frame", None)
        if here is not None and here.f_globals.get("__name__", "").partition(".")[0] not in LIBRARIES:
            frame = here
        coro = getattr(coro, "cr_await", None) or getattr(coro, "gi_yieldfrom", None)
    return "" if frame is None else f"at {frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"
