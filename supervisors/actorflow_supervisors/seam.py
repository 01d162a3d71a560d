"""Seam: the interface to the running loop that supervisors and actors stand on, and what it has for all loops."""

from __future__ import annotations

import contextlib
import logging
import types
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import anyio

if TYPE_CHECKING:
    import asyncio

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
    """A task in a home, which cancels it."""

    def done(self) -> bool: ...


class Timer(Protocol):
    """A pending call."""

    def cancel(self) -> object: ...


class Interrupt(Protocol):
    """A region of one task that others may end early, again and again.

    `cancel()` raises the loop's Cancelled at the await inside the region, or where a shield inside it is left; leaving
    the region swallows it, and nothing but it.
    """

    @property
    def cancel_called(self) -> bool: ...

    def cancel(self) -> object: ...

    def abandon(self) -> object:
        """Cancel, and give up on what swallows that: it is let run on, not cancelled at each of its awaits."""

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

    def cancel(self, spawned: Spawned) -> None:
        """Request cancellation; idempotent, and harmless after the task has ended. A shield inside it holds it off."""
        self.seam.cancel_task(spawned)

    def abandon(self, spawned: Spawned) -> None:
        """Cancel `spawned` and stop waiting for it: it may run on, and nothing here will know."""
        self.ended(spawned)
        if not spawned.done():
            _abandoned.add(spawned)
            self.cancel(spawned)

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
            self.cancel(spawned)
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

    def resume(self, slot: Slot, value: Any) -> None:
        """`slot.set_result(value)` for whoever has heard from outside the loop; only when not `done()`.

        The task that awaits it may go on within this call, where the loop allows that: a turn of the loop is saved.
        """
        ...

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

    def cancel_task(self, spawned: Spawned) -> None:
        """For `Home.cancel`."""


@contextlib.asynccontextmanager
async def open_home(seam: Seam) -> AsyncGenerator[Home, None]:
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
