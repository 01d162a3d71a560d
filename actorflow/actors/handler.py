"""Handlers: the methods of an actor that messages call, typed end to end.

At run time a handler is its own function, marked: naming it on the class and calling it on an instance cost what they
cost for any method, which a descriptor written in Python would treble. What follows is how the type checkers see it:
on an instance the bound method, on a class a `Handler` of that class, which `ActorRef.ask` takes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

A = TypeVar("A")
A_co = TypeVar("A_co", covariant=True)
A_contra = TypeVar("A_contra", contravariant=True)
P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Handler(Generic[A_contra, P, R_co]):
    """A handler of actors of class `A_contra`, as `Counter.add` names it for a message.

    raises: exceptions that are answers, raised at the asker with their type; any other crashes the actor.
    redeliver: how many times a message over which the actor crashed is handled again by the next incarnation.
    """

    name: str
    raises: tuple[type[Exception], ...]
    redeliver: int


class HandlerMethod(Generic[A_co, P, R_co]):
    """What `@handler` leaves in a class `A_co`. Covariant, as `self` is in any method: a subclass may override it."""

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> Handler[A_co, P, R_co]: ...
    @overload
    def __get__(self, instance: object, owner: type[Any]) -> Callable[P, Coroutine[Any, Any, R_co]]: ...
    def __get__(self, instance: object | None, owner: type[Any]) -> Any:
        raise NotImplementedError("only type checkers see this class")


class _Marker(Protocol):
    """`@handler(...)`: keeps the method's own types."""

    def __call__(self, fn: Callable[Concatenate[A, P], Coroutine[Any, Any, R]], /) -> HandlerMethod[A, P, R]: ...


@overload
def handler(fn: Callable[Concatenate[A, P], Coroutine[Any, Any, R]], /) -> HandlerMethod[A, P, R]: ...
@overload
def handler(*, raises: tuple[type[Exception], ...] = ..., redeliver: int = ...) -> _Marker: ...
def handler(
    fn: Callable[..., Coroutine[Any, Any, Any]] | None = None,
    /,
    *,
    raises: tuple[type[Exception], ...] = (),
    redeliver: int = 0,
) -> Any:
    """Mark an async method of an actor as one that messages may call; no other method can be reached.

    raises, redeliver: see `Handler`. Raises TypeError for what is not an async function.
    """
    if fn is None:
        return partial(_mark, raises=raises, redeliver=redeliver)
    return _mark(fn, raises=raises, redeliver=redeliver)


def _mark(fn: Any, *, raises: tuple[type[Exception], ...], redeliver: int) -> Any:
    if not inspect.iscoroutinefunction(fn):
        raise TypeError(f"a handler is an async method; write `async def {getattr(fn, '__name__', fn)}`")
    if redeliver < 0:
        raise ValueError(f"redeliver of {fn.__qualname__} must be 0 or more, not {redeliver}")
    fn.name = fn.__name__
    fn.raises = raises
    fn.redeliver = redeliver
    fn.is_actorflow_handler = True
    return fn


def handlers_of(cls: type) -> dict[str, Handler[Any, Any, Any]]:
    """Every handler that an actor of exactly this class answers to, by name."""
    found = ((name, inspect.getattr_static(cls, name)) for name in dir(cls))
    return {name: value for name, value in found if hasattr(value, "is_actorflow_handler")}


def name_of(method: Handler[Any, Any, Any]) -> str:
    """The name a message carries. Raises TypeError for what is not a handler."""
    if not hasattr(method, "is_actorflow_handler"):
        raise TypeError(f"{method!r} is not a handler; mark the method with @handler and name it on its class")
    return method.name
