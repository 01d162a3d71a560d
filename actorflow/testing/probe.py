"""Probes: actors that take any message, record it, and let a test wait for it and answer it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar, cast

import anyio

from actorflow.actors.actor import Actor
from actorflow.actors.deferred import Deferred
from actorflow.actors.dispatch import Method
from actorflow.actors.envelope import Ask
from actorflow.actors.handler import Handler, name_of
from actorflow.actors.monitor import Down, start_monitor
from actorflow.actors.ref import ActorRef, cell_of
from actorflow.testing.clock import settle

A_co = TypeVar("A_co", covariant=True)

EXPECT_WITHIN_S = 60.0
"""Virtual seconds that a probe waits for what it expects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One message that a probe took; the handler is `down` for the news of a watched actor.

    at_s: of virtual time. is_ask: somebody waits for `reply` or `fail`.
    """

    handler: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    at_s: float
    is_ask: bool
    later: Deferred[Any]

    def reply(self, value: object) -> None:
        """Answer the asker; it gets `value` as it is, even in a strict system. Does nothing for a message told."""
        self.later.reply(value)

    def fail(self, error: Exception) -> None:
        """Raise `error` at the asker."""
        self.later.fail(error)

    def __str__(self) -> str:
        given = [repr(value) for value in self.args] + [f"{name}={value!r}" for name, value in self.kwargs.items()]
        return f"{self.handler}({', '.join(given)})"


Wanted: TypeAlias = str | Handler[Any, Any, Any] | Callable[[Received], bool] | None
"""A message that is expected: its handler or that one's name, what is true of it, or None for any."""


class Watch(Protocol):
    """Wraps a method so that each call is logged."""

    def __call__(self, name: str, method: Method, /) -> Method: ...


class Catcher(Actor):
    """The actor behind a probe: it answers to every name."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.open: list[Received] = []
        self.answers: dict[str, Any] = {}
        self.news = anyio.Event()

    def methods(self, watch: Watch) -> dict[str, Method]:
        """For the system: a method for each name that is looked up."""
        return _Methods(self, watch)

    async def take(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Record one message; an ask is answered at once if there is a standing answer, else when the test does."""
        cell = cell_of(self.context.ref)
        is_ask = isinstance(cell.current, Ask)
        later: Deferred[Any] = self.context.defer()
        received = Received(
            handler=name, args=args, kwargs=kwargs, at_s=anyio.current_time(), is_ask=is_ask, later=later
        )
        self.received.append(received)
        self.open.append(received)
        if name in self.answers:
            later.reply(self.answers[name])
        self.news.set()
        self.news = anyio.Event()
        return later.hold()

    async def down(self, down: Down) -> None:
        await self.take("down", (down,), {})


class _Methods(dict[str, Method]):
    def __init__(self, catcher: Catcher, watch: Watch) -> None:
        super().__init__()
        self._catcher = catcher
        self._watch = watch

    def __missing__(self, name: str) -> Method:
        def take(*args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
            return self._catcher.take(name, args, kwargs)

        method = self[name] = self._watch(name, take)
        return method


class Probe(ActorRef[A_co]):
    """A reference to hand to the actors under test: it records all that it is sent.

    What was expected is set aside, so that each message is expected once, in any order.
    """

    __slots__ = ("_catcher",)

    def __init__(self, ref: ActorRef[Any], catcher: Catcher) -> None:
        super().__init__(cell_of(ref))
        self._catcher = catcher

    @property
    def received(self) -> tuple[Received, ...]:
        """All messages so far, expected or not, oldest first."""
        return tuple(self._catcher.received)

    async def expect(self, wanted: Wanted = None, *, within_s: float = EXPECT_WITHIN_S) -> Received:
        """The oldest message that matches `wanted` and was not expected before; waits for it if need be.

        within_s: virtual seconds to wait. Raises AssertionError, which tells what came instead.
        """
        with anyio.move_on_after(within_s):
            while (found := self._find(wanted)) is None:
                await self._catcher.news.wait()
            self._catcher.open.remove(found)
            return found
        raise AssertionError(
            f"{self.path} received no {_described(wanted)} within {within_s:g} s; unexpected so far: {self._shown()}"
        )

    async def expect_nothing(self) -> None:
        """After settling, every message was expected. Raises AssertionError, which tells those that were not."""
        await settle()
        if self._catcher.open:
            raise AssertionError(f"{self.path} received what nobody expected: {self._shown()}")

    def answer(self, handler: str | Handler[Any, Any, Any], value: object) -> None:
        """Answer each ask of `handler` with `value` from now on."""
        self._catcher.answers[_handler_name(handler)] = value

    def watch(self, ref: ActorRef[Any]) -> None:
        """Monitor `ref`: its Down comes as the message `down`, with the Down as its argument."""
        start_monitor(self._cell, cell_of(ref))

    def _find(self, wanted: Wanted) -> Received | None:
        return next((one for one in self._catcher.open if _matches(wanted, one)), None)

    def _shown(self) -> str:
        return ", ".join(map(str, self._catcher.open)) or "nothing"


def _matches(wanted: Wanted, received: Received) -> bool:
    if wanted is None:
        return True
    if isinstance(wanted, str) or _is_handler(wanted):
        return received.handler == _handler_name(wanted)
    fits = cast("Callable[[Received], bool]", wanted)
    return fits(received)


def _is_handler(wanted: object) -> bool:
    return hasattr(wanted, "is_actorflow_handler")


def _handler_name(handler: Any) -> str:
    return handler if isinstance(handler, str) else name_of(handler)


def _described(wanted: Wanted) -> str:
    if wanted is None:
        return "message"
    return repr(_handler_name(wanted)) if isinstance(wanted, str) or _is_handler(wanted) else "message that fits"
