"""The loop seam: native spawn, one-slot waits, timers and interrupts for asyncio and trio behind one small interface.

Nothing else in the supervisors and the actors knows which loop runs. It exists for speed: a native spawn costs a fifth
of `anyio.TaskGroup.start_soon`, a future a fraction of an `anyio.Event`. A spawned task may use anyio freely.

How the two differ, so that callers need not know: on asyncio a cancel is `Task.cancel()`, delivered once; on trio it is
a `CancelScope` around the task, in force until the task has ended. A spawned task is a child of its home and of nothing
else: cancelling the host does not reach it before the host leaves the home, so an owner can stop its tasks in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import importlib
import logging
import sys
import time
import types
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import anyio

if TYPE_CHECKING:
    import trio

__all__ = ["Home", "Interrupt", "Seam", "Slot", "Spawned", "Timer", "Waiter", "current_seam"]

logger = logging.getLogger("actorflow.supervisors")

Run = Callable[..., Coroutine[Any, Any, object]]
"""What a home spawns: an async function."""

TASK_NAME = "actorflow"
"""Of tasks that are given none; a name made for each would cost 60 bytes and a tenth of a spawn."""

LEAVE_GRACE_S = 5.0
"""Seconds that leaving a home waits for cancelled tasks before it abandons and reports them."""


class Slot(Protocol):
    """A one-shot result that one task awaits. Awaiting again after a cancelled wait is not supported."""

    def set_result(self, value: Any, /) -> None:
        """Hand over `value`; only when not `done()`."""

    def done(self) -> bool:
        """True once it holds a result or its waiting task was cancelled."""
        ...

    def __await__(self) -> Generator[Any, Any, Any]: ...


class Spawned(Protocol):
    """A task in a home."""

    def cancel(self) -> object:
        """Request cancellation; idempotent, and harmless after the task has ended."""

    def done(self) -> bool: ...


class Timer(Protocol):
    """A pending call."""

    def cancel(self) -> object: ...


class Interrupt(Protocol):
    """A region of one task that others may end early, again and again.

    `cancel()` raises the loop's Cancelled at the await inside the region; leaving the region swallows it, and nothing
    but it.
    """

    @property
    def cancel_called(self) -> bool: ...

    def cancel(self) -> object: ...

    def __enter__(self) -> object: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None, /
    ) -> bool: ...


class Waiter:
    """One task waits, anybody wakes it. A wake with nobody waiting is remembered for the next wait."""

    __slots__ = ("_new_slot", "_slot", "_woken")

    def __init__(self, new_slot: Callable[[], Slot]) -> None:
        self._new_slot = new_slot
        self._slot: Slot | None = None
        self._woken = False

    def wake(self) -> None:
        """Let the current or the next `wait` return; further wakes before that change nothing."""
        self._woken = True
        if self._slot is not None and not self._slot.done():
            self._slot.set_result(None)

    async def wait(self) -> None:
        """Return once woken, and forget that wake."""
        if not self._woken:
            self._slot = self._new_slot()
            try:
                await self._slot
            finally:
                self._slot = None
        self._woken = False


class Home:
    """Owns the tasks spawned in it: holds them strongly, and waits for them when it is left.

    A spawned function handles its own errors: one that raises anything but cancellation is a bug of its caller, which
    leaving the home raises as `RuntimeError` from the first such error.
    """

    def __init__(self, seam: Seam) -> None:
        self.seam = seam
        self._tasks: dict[Spawned, Callable[[], None] | None] = {}
        self._empty: Slot | None = None
        self._first_error: BaseException | None = None
        self._host: Interrupt | None = None
        self.interrupted: KeyboardInterrupt | None = None
        """What a task told `interrupt`."""
        self.on_asyncio_task_done = self._asyncio_task_done
        """For the asyncio seam: the done callback of every task, bound once."""

    def __len__(self) -> int:
        """How many spawned tasks have not ended and were not abandoned."""
        return len(self._tasks)

    def spawn(
        self,
        run: Run,
        *args: object,
        name: str | None = None,
        on_done: Callable[[], None] | None = None,
    ) -> Spawned:
        """Start `run(*args)` in a task of its own; it first runs after the caller's next await.

        on_done: called without arguments, in the loop, after the task has ended in whatever way.
        """
        spawned = self.seam.start_task(self, run, args, name)
        self._tasks[spawned] = on_done
        return spawned

    def abandon(self, spawned: Spawned) -> None:
        """Stop waiting for `spawned`: it may run on, and nothing here will know."""
        self.ended(spawned)
        if not spawned.done():
            _abandoned.add(spawned)

    def interrupt(self, error: KeyboardInterrupt) -> None:
        """For a task: end the block of this home, which raises `error` once it has been left."""
        if self.interrupted is None:
            self.interrupted = error
            if self._host is not None:
                self._host.cancel()

    def enter(self) -> Interrupt:
        """For `Seam.open_home`: the region of the block, which `interrupt` ends."""
        self._host = self.seam.interrupt()
        return self._host

    def ended(self, spawned: Spawned, error: BaseException | None = None) -> None:
        """For seams: `spawned` has ended."""
        if error is not None and self._first_error is None:
            self._first_error = error
        _abandoned.discard(spawned)
        on_done = self._tasks.pop(spawned, None)
        if not self._tasks and self._empty is not None and not self._empty.done():
            self._empty.set_result(None)
        if on_done is not None:
            on_done()

    def _asyncio_task_done(self, task: asyncio.Task[object]) -> None:
        self.ended(task, None if task.cancelled() else task.exception())

    async def close(self, *, grace_s: float = LEAVE_GRACE_S) -> None:
        """Cancel every task and wait for them, `grace_s` seconds at most; what is left is abandoned and logged."""
        for spawned in list(self._tasks):
            spawned.cancel()
        with anyio.move_on_after(grace_s, shield=True):
            while self._tasks:
                self._empty = self.seam.slot()
                await self._empty
        for spawned in list(self._tasks):
            logger.error("a task ignored its cancellation for %s s and was abandoned: %r", grace_s, spawned)
            self.abandon(spawned)
        if self._first_error is not None:
            error, self._first_error = self._first_error, None
            raise RuntimeError(f"a spawned task must handle its own errors, but raised {error!r}") from error


_abandoned: set[Spawned] = set()
"""Tasks nobody waits for any more, held so that asyncio does not collect them in mid-flight."""


class Seam(Protocol):
    """What a loop offers."""

    name: str
    cancelled: type[BaseException]
    """The exception class by which the loop cancels."""

    slot: Callable[[], Slot]
    now_s: Callable[[], float]
    """Seconds of the loop's clock, so that a virtual clock is obeyed."""
    current_task: Callable[[], object]
    """The identity of the running task, or None in a callback."""
    effective_deadline_s: Callable[[], float]
    """`anyio.current_effective_deadline`: of the surrounding scopes, inf for none."""

    def waiter(self) -> Waiter: ...

    def interrupt(self) -> Interrupt: ...

    def hosts(self) -> Iterator[object]:
        """The tasks in whose task groups the current one runs, nearest first: they wait for its end."""
        ...

    def call_at(self, when_s: float, callback: Callable[..., object], *args: object) -> Timer:
        """Call `callback(*args)` once `now_s()` has reached `when_s`."""
        ...

    def call_from_anywhere(self, callback: Callable[..., object], *args: object) -> None:
        """Call `callback(*args)` in the loop soon; the one method that signal handlers and other threads may use."""
        ...

    async def checkpoint(self) -> None:
        """Let every other ready task run once, and notice cancellation."""

    def open_home(self) -> contextlib.AbstractAsyncContextManager[Home]:
        """A home for spawned tasks; leaving it cancels and awaits what is left."""
        ...

    def start_task(self, home: Home, run: Run, args: tuple[object, ...], name: str | None) -> Spawned:
        """For `Home.spawn`."""
        ...


def current_seam() -> Seam:
    """The seam of the running loop. Raises RuntimeError where none runs."""
    trio_module = sys.modules.get("trio")
    if trio_module is not None and trio_module.lowlevel.in_trio_run():
        return TrioSeam()
    return AsyncioSeam(asyncio.get_running_loop())


@contextlib.asynccontextmanager
async def _open_home(seam: Seam) -> AsyncGenerator[Home, None]:
    home = Home(seam)
    try:
        with home.enter():
            try:
                yield home
            finally:
                await home.close()
    finally:
        if home.interrupted is not None:
            raise home.interrupted


# asyncio


class AsyncioSeam:
    """Natively asyncio, or uvloop: `asyncio.Task` directly, past any eager task factory, so that a spawn never runs."""

    name = "asyncio"
    cancelled: type[BaseException] = asyncio.CancelledError

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._context = contextvars.Context()
        """Of done callbacks: without one, asyncio copies the caller's for every task."""
        self.slot: Callable[[], Slot] = loop.create_future
        self.now_s = _clock_of(loop)
        self.current_task = _current_task_of(loop)
        self.effective_deadline_s = _anyio_deadline()

    def waiter(self) -> Waiter:
        return Waiter(self.slot)

    def interrupt(self) -> Interrupt:
        return _AsyncioInterrupt(self._loop)

    def hosts(self) -> Iterator[object]:
        task = asyncio.current_task(self._loop)
        scope = _scope_of(task)
        while scope is not None:
            host = scope._host_task
            if host is not task:
                task = host
                yield host
            scope = scope._parent_scope

    def call_at(self, when_s: float, callback: Callable[..., object], *args: object) -> Timer:
        return self._loop.call_at(when_s, callback, *args)

    def call_from_anywhere(self, callback: Callable[..., object], *args: object) -> None:
        self._loop.call_soon_threadsafe(callback, *args)

    async def checkpoint(self) -> None:
        await _bare_yield()

    def open_home(self) -> contextlib.AbstractAsyncContextManager[Home]:
        return _open_home(self)

    def start_task(self, home: Home, run: Run, args: tuple[object, ...], name: str | None) -> Spawned:
        task = asyncio.Task(run(*args), loop=self._loop, name=name or TASK_NAME)
        task.add_done_callback(home.on_asyncio_task_done, context=self._context)
        return task


def _current_task_of(loop: asyncio.AbstractEventLoop) -> Callable[[], object]:
    """`asyncio.current_task`; before it was written in C, what stands behind it, since it is read for each ask."""
    running: dict[object, object] | None = getattr(asyncio.tasks, "_current_tasks", None)
    if sys.version_info < (3, 12) and running is not None:
        return partial(running.get, loop)
    return partial(asyncio.current_task, loop)


def _anyio_deadline() -> Callable[[], float]:
    """`anyio.current_effective_deadline` of the running backend; looking that up is half the cost of each call."""
    try:
        backend = importlib.import_module("anyio._core._eventloop").get_async_backend()
        found: Callable[[], float] = backend.current_effective_deadline
    except (ImportError, AttributeError):
        return anyio.current_effective_deadline
    return found


def _scope_of(task: asyncio.Task[Any] | None) -> Any:
    """The anyio scope that `task` is in, or None. Any: anyio does not name it, so no other place here reads it."""
    states: Any = getattr(sys.modules.get("anyio._backends._asyncio"), "_task_states", None)
    state = None if states is None or task is None else states.get(task)
    return None if state is None else state.cancel_scope


def _clock_of(loop: asyncio.AbstractEventLoop) -> Callable[[], float]:
    """The loop's clock; what stands behind it where that is known, since it is read for each batch of messages."""
    own = getattr(type(loop), "time", None)
    return time.monotonic if own is asyncio.BaseEventLoop.time else loop.time


@types.coroutine
def _bare_yield() -> Generator[None, None, None]:
    """One turn of an asyncio loop, without the detour of `asyncio.sleep(0)`."""
    yield


class _AsyncioInterrupt:
    """Edge cancellation with the count of `Task.uncancel`, so that a cancel from elsewhere is never swallowed."""

    __slots__ = ("_delivered", "_loop", "_others", "_task", "cancel_called")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.cancel_called = False
        self._delivered = False
        self._task: asyncio.Task[Any] | None = None
        self._others = 0

    def cancel(self) -> None:
        if self.cancel_called:
            return
        self.cancel_called = True
        if self._task is not None:
            self._deliver_to(self._task)

    def _deliver_to(self, task: asyncio.Task[Any]) -> None:
        # A task that cancels itself and leaves without another await would take the cancel along, so that one waits.
        if asyncio.current_task(self._loop) is task:
            self._loop.call_soon(self._deliver_if_inside, task)
        else:
            self._delivered = True
            task.cancel()

    def _deliver_if_inside(self, task: asyncio.Task[Any]) -> None:
        if self._task is task:
            self._delivered = True
            task.cancel()

    def __enter__(self) -> object:
        self._task = asyncio.current_task(self._loop)
        assert self._task is not None, "an interrupt is entered inside a task"
        self._others = self._task.cancelling()
        if self.cancel_called:
            self._deliver_to(self._task)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None, /
    ) -> bool:
        task, self._task = self._task, None
        if not self._delivered or task is None:
            return False
        return task.uncancel() <= self._others and isinstance(error, asyncio.CancelledError)


# trio


class TrioSeam:
    """Natively trio. Tasks are system tasks with a scope each: no nursery cancels them behind their home's back."""

    name = "trio"

    def __init__(self) -> None:
        _import_trio()
        self.cancelled: type[BaseException] = trio.Cancelled
        self.slot: Callable[[], Slot] = _TrioSlot
        self.now_s: Callable[[], float] = trio.current_time
        self.current_task: Callable[[], object] = _trio_current_task
        self.effective_deadline_s: Callable[[], float] = trio.current_effective_deadline
        self._token = trio.lowlevel.current_trio_token()

    def waiter(self) -> Waiter:
        return Waiter(self.slot)

    def interrupt(self) -> Interrupt:
        return trio.CancelScope()

    def hosts(self) -> Iterator[object]:
        task = trio.lowlevel.current_task()
        while task.parent_nursery is not None:
            task = task.parent_nursery.parent_task
            yield task

    def call_at(self, when_s: float, callback: Callable[..., object], *args: object) -> Timer:
        scope = trio.CancelScope()
        trio.lowlevel.spawn_system_task(
            _call_at, scope, when_s, callback, args, name=callback, context=contextvars.copy_context()
        )
        return scope

    def call_from_anywhere(self, callback: Callable[..., object], *args: object) -> None:
        self._token.run_sync_soon(callback, *args)

    async def checkpoint(self) -> None:
        await trio.lowlevel.checkpoint()

    def open_home(self) -> contextlib.AbstractAsyncContextManager[Home]:
        return _open_home(self)

    def start_task(self, home: Home, run: Run, args: tuple[object, ...], name: str | None) -> Spawned:
        spawned = _TrioSpawned(home)
        trio.lowlevel.spawn_system_task(
            spawned.live, run, args, name=name or TASK_NAME, context=contextvars.copy_context()
        )
        return spawned


def _import_trio() -> None:
    """Bind the name `trio` of this module when a trio program first needs it; importing it costs 100 ms."""
    globals().setdefault("trio", importlib.import_module("trio"))


def _trio_current_task() -> object:
    try:
        return trio.lowlevel.current_task()
    except RuntimeError:
        return None


async def _call_at(
    scope: trio.CancelScope, when_s: float, callback: Callable[..., object], args: tuple[object, ...]
) -> None:
    with scope:
        await trio.sleep_until(when_s)
        callback(*args)


class _TrioSpawned:
    __slots__ = ("_done", "_home", "_scope")

    def __init__(self, home: Home) -> None:
        self._home = home
        self._scope = trio.CancelScope()
        self._done = False

    def cancel(self) -> None:
        self._scope.cancel()

    def done(self) -> bool:
        return self._done

    async def live(self, run: Run, args: tuple[object, ...]) -> None:
        error: BaseException | None = None
        try:
            with self._scope:
                await run(*args)
        except trio.Cancelled:
            raise
        except BaseException as raised:  # noqa: BLE001 - a system task that raises ends the whole program
            error = raised
        finally:
            self._done = True
            self._home.ended(self, error)


class _TrioSlot:
    """What a future is on asyncio: a parked task and the value it is handed."""

    __slots__ = ("_done", "_task", "_value")

    def __init__(self) -> None:
        self._done = False
        self._task: trio.lowlevel.Task | None = None
        self._value: Any = None

    def set_result(self, value: Any, /) -> None:
        self._done = True
        self._value = value
        if self._task is not None:
            trio.lowlevel.reschedule(self._task)
            self._task = None

    def done(self) -> bool:
        return self._done

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._wait().__await__()

    async def _wait(self) -> Any:
        if not self._done:
            self._task = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._abort)
        return self._value

    def _abort(self, _: Callable[[], None]) -> trio.lowlevel.Abort:
        self._done = True
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED
