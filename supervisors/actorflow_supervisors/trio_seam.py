"""Trio seam: natively trio."""

from __future__ import annotations

import contextlib
import contextvars
import importlib
import types
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

from actorflow_supervisors.seam import TASK_NAME, Home, Interrupt, Run, Slot, Spawned, Timer, Waiter, open_home

if TYPE_CHECKING:
    import trio

FIRST_REMINDER_S = 1.0
LAST_REMINDER_S = 60.0
"""An abandoned task is cancelled once more after so long, then after twice as long, up to the last."""


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

    def resume(self, slot: Slot, value: Any) -> None:
        slot.set_result(value)

    def interrupt(self) -> Interrupt:
        return _TrioInterrupt()

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
        return open_home(self)

    def start_task(self, home: Home, run: Run, args: tuple[object, ...], name: str | None) -> Spawned:
        spawned = _TrioSpawned(home)
        trio.lowlevel.spawn_system_task(
            spawned.live, run, args, name=name or TASK_NAME, context=contextvars.copy_context()
        )
        return spawned

    def cancel_task(self, spawned: Spawned) -> None:
        assert isinstance(spawned, _TrioSpawned)
        spawned.scope.cancel()


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


class _TrioInterrupt:
    """A scope that is cancelled, and one inside it whose shield keeps that from what is abandoned."""

    __slots__ = ("_abandoned", "_calm", "_scope")

    def __init__(self) -> None:
        self._scope = trio.CancelScope()
        self._calm = trio.CancelScope()
        self._abandoned: trio.CancelScope | None = None

    @property
    def cancel_called(self) -> bool:
        return self._scope.cancel_called

    def cancel(self) -> None:
        self._scope.cancel()

    def abandon(self) -> None:
        self._scope.cancel()
        if self._abandoned is None:
            self._calm.shield = True
            self._abandoned = trio.CancelScope()
            trio.lowlevel.spawn_system_task(self._remind, self._abandoned, name="actorflow: abandoned")

    async def _remind(self, until_ended: trio.CancelScope) -> None:
        """Cancel it now and then, for a shield of its own may be over by now; and for good when the program ends."""
        pause_s = FIRST_REMINDER_S
        try:
            with until_ended:
                while True:
                    await trio.sleep(pause_s)
                    self._calm.shield = False  # one Cancelled at the await where it is
                    self._calm.shield = True
                    pause_s = min(2 * pause_s, LAST_REMINDER_S)
        finally:
            self._calm.shield = False

    def __enter__(self) -> object:
        self._scope.__enter__()
        self._calm.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None, /
    ) -> bool:
        if self._abandoned is not None:
            self._abandoned.cancel()
        self._calm.__exit__(kind, error, trace)
        return bool(self._scope.__exit__(kind, error, trace))


class _TrioSpawned:
    __slots__ = ("_done", "_home", "scope")

    def __init__(self, home: Home) -> None:
        self._home = home
        self.scope = trio.CancelScope()
        self._done = False

    def done(self) -> bool:
        return self._done

    async def live(self, run: Run, args: tuple[object, ...]) -> None:
        error: BaseException | None = None
        try:
            with self.scope:
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
