"""Asyncio seam: natively asyncio, or uvloop."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import importlib
import math
import sys
import time
import types
from collections.abc import Callable, Generator, Iterator, Mapping
from functools import partial
from typing import Any, cast
from weakref import WeakKeyDictionary, ref

import anyio

from actorflow_supervisors.seam import TASK_NAME, Home, Interrupt, Run, Slot, Spawned, Timer, Waiter, open_home

LOOK_AGAIN_S = 0.01
"""How late a cancel may come that a shield held off."""


class AsyncioSeam:
    """Natively asyncio, or uvloop: `asyncio.Task` directly, past any eager task factory, so that a spawn never runs."""

    name = "asyncio"
    cancelled: type[BaseException] = asyncio.CancelledError

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._context = contextvars.Context()
        """Of done callbacks: without one, asyncio copies the caller's for every task."""
        self.slot: Callable[[], Slot] = _slot_of(loop)
        self.now_s = _clock_of(loop)
        self.current_task = _current_task_of(loop)
        own_deadline_s = _anyio_deadline()
        self._states = _anyio_states()
        self.effective_deadline_s = _deadline_of_scopes(self.current_task, self._states) or own_deadline_s

    def waiter(self) -> Waiter:
        return Waiter(self.slot)

    def resume(self, slot: Slot, value: Any) -> None:
        """What the future would have the loop call in its next turn is called now, in its own context.

        Inside a task it is left to the loop, since a task is not entered within another.
        """
        waiting: Any = getattr(slot, "_callbacks", None)
        if waiting is None or len(waiting) != 1 or self.current_task() is not None:
            slot.set_result(value)
            return
        (callback, context), future = waiting[0], cast("asyncio.Future[Any]", slot)
        future.remove_done_callback(callback)
        future.set_result(value)
        context.run(callback, future)

    def interrupt(self) -> Interrupt:
        return _AsyncioInterrupt(self._loop, self._states)

    def hosts(self) -> Iterator[object]:
        task = asyncio.current_task(self._loop)
        scope = _scope_of(self._states, task)
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
        return open_home(self)

    def start_task(self, home: Home, run: Run, args: tuple[object, ...], name: str | None) -> Spawned:
        task = asyncio.Task(run(*args), loop=self._loop, name=name or TASK_NAME)
        task.add_done_callback(home.on_asyncio_task_done, context=self._context)
        return task

    def cancel_task(self, spawned: Spawned) -> None:
        self._cancel(cast("asyncio.Task[Any]", spawned))

    def _cancel(self, task: asyncio.Task[Any]) -> None:
        if _is_shielded(self._states, task):
            _look_again(self._loop, self._cancel, task)
        else:
            task.cancel()


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


_SCOPE_PARTS = frozenset({"_cancel_called", "_deadline", "_parent_scope", "_shield"})


def _deadline_of_scopes(current_task: Callable[[], object], states: Any) -> Callable[[], float] | None:
    """What `anyio.current_effective_deadline` returns, at a third of its cost, since it is read for each ask.

    None where anyio keeps its scopes in another way.
    """
    scope_type = getattr(sys.modules.get("anyio._backends._asyncio"), "CancelScope", None)
    if not isinstance(states, WeakKeyDictionary) or not _SCOPE_PARTS.issubset(getattr(scope_type, "__slots__", ())):
        return None
    entries: Mapping[Any, Any] = cast("Any", states).data

    def deadline_s() -> float:
        task = current_task()
        state = None if task is None else entries.get(ref(task))
        scope = None if state is None else state.cancel_scope
        found_s = math.inf
        while scope is not None:
            if scope._cancel_called:
                return -math.inf
            if scope._deadline < found_s:
                found_s = scope._deadline
            if scope._shield:
                break
            scope = scope._parent_scope
        return found_s

    return deadline_s


def _slot_of(loop: asyncio.AbstractEventLoop) -> Callable[[], Slot]:
    """`loop.create_future`; what stands behind it where that is known, since each ask and each wait needs one."""
    own = getattr(type(loop), "create_future", None)
    if own is not asyncio.BaseEventLoop.create_future:
        return loop.create_future
    return cast("Callable[[], Slot]", partial(asyncio.Future, loop=loop))


def _anyio_states() -> Any:
    """What anyio knows of each task, for the scopes it is in. Any: anyio has no name for it."""
    return getattr(sys.modules.get("anyio._backends._asyncio"), "_task_states", {})


def _look_again(
    loop: asyncio.AbstractEventLoop, look: Callable[[asyncio.Task[Any]], None], task: asyncio.Task[Any]
) -> None:
    """Call `look(task)` once more, soon: asyncio and anyio have no event for the end of a shield."""
    if not task.done():
        loop.call_later(LOOK_AGAIN_S, look, task)


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

    __slots__ = ("_delivered", "_loop", "_others", "_outside", "_states", "_task", "cancel_called")

    def __init__(self, loop: asyncio.AbstractEventLoop, states: Any) -> None:
        self._loop = loop
        self._states = states
        self.cancel_called = False
        self._delivered = False
        self._task: asyncio.Task[Any] | None = None
        self._others = 0
        self._outside: Any = None

    def cancel(self) -> None:
        if self.cancel_called:
            return
        self.cancel_called = True
        if self._task is not None:
            self._send(self._task)

    abandon = cancel  # a cancel is delivered once, so what swallows it is left alone

    def _send(self, task: asyncio.Task[Any]) -> None:
        # A task that cancels itself and leaves without another await would take the cancel along, so that one waits.
        if asyncio.current_task(self._loop) is task:
            self._loop.call_soon(self._arrive, task)
        else:
            self._arrive(task)

    def _arrive(self, task: asyncio.Task[Any]) -> None:
        if self._task is not task:
            return
        if _is_shielded(self._states, task, self._outside):
            _look_again(self._loop, self._arrive, task)
            return
        self._delivered = True
        task.cancel()

    def __enter__(self) -> object:
        self._task = asyncio.current_task(self._loop)
        assert self._task is not None, "an interrupt is entered inside a task"
        self._others = self._task.cancelling()
        self._outside = _scope_of(self._states, self._task)
        if self.cancel_called:
            self._send(self._task)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None, /
    ) -> bool:
        task, self._task = self._task, None
        if not self._delivered or task is None:
            return False
        return task.uncancel() <= self._others and isinstance(error, asyncio.CancelledError)


def _scope_of(states: Any, task: asyncio.Task[Any] | None) -> Any:
    """The anyio scope that `task` is in, or None."""
    state = None if task is None else states.get(task)
    return None if state is None else state.cancel_scope


def _is_shielded(states: Any, task: asyncio.Task[Any], outside: Any = None) -> bool:
    """True while `task` is inside an anyio shield that it entered itself, and inside `outside`."""
    scope = _scope_of(states, task)
    while scope is not None and scope is not outside:
        if scope.shield:
            return True
        scope = scope._parent_scope
    return False
