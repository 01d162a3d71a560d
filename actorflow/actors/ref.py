"""Actor references: the one way to reach an actor, valid over all its restarts."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, TypeVar

from actorflow.actors.ask_chain import beside, in_actor, join, leave
from actorflow.actors.envelope import NEVER_S, Ask, Failure
from actorflow.actors.errors import ActorRestarting
from actorflow.actors.handler import Handler, name_of

if TYPE_CHECKING:
    from actorflow.actors.cell import Cell

A_co = TypeVar("A_co", covariant=True)
P = ParamSpec("P")
R = TypeVar("R")


class ActorRef(Generic[A_co]):
    """Reaches one actor. A message is a call of a handler: `await ref.ask(Counter.add, by=3)`.

    Messages of one sender arrive in the order sent. Arguments pass by reference: send what you will not change.
    """

    __slots__ = ("_cell", "_inbox", "_patient")

    def __init__(self, cell: Cell, *, patient: bool = True) -> None:
        self._cell = cell
        self._inbox = cell.inbox
        self._patient = patient

    async def ask(self, method: Handler[A_co, P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the handler and return its reply; its declared `raises` are raised here with their type.

        Waits for room, for its turn and for a restart, until the deadline of the surrounding anyio scope, else until
        the system's `ask_timeout_s`. Cancelling the wait cancels the handler. Raises exactly one AskError for an ask
        without a reply, or MailboxFull, UnknownHandler or MessageRefused.
        """
        cell = self._cell
        system = cell.system
        try:
            name = method.name
        except AttributeError:
            name = name_of(method)
        ask = Ask(name, args, kwargs, system.new_slot(), cell, system.effective_deadline_s())
        if not self._patient:
            ask.patient = False
            if cell.restarting:
                raise ActorRestarting(cell.path)
        asker = system.cells.get(system.current_task())
        helped = None
        if asker is not None:
            asker.before_ask(ask)
        elif in_actor.get() and (helped := beside(system)) is not None:
            join(helped, ask)
        inbox = self._inbox
        timeouts = system.ask_timeouts if ask.deadline_s == NEVER_S else None
        try:
            items = inbox.items
            if len(items) < inbox.room:
                items.append(ask)
                if inbox.parked is not None:
                    inbox.wake()
            else:
                admission = cell.admit_ask(ask)
                if admission is not None:
                    await admission
            if timeouts is not None:
                timeouts.watch(ask)
            value = await ask.slot
        except system.cancelled as error:
            cell.asker_gone(ask, error)
            raise
        finally:
            if asker is not None:
                asker.waiting_on = None
            elif helped is not None:
                leave(helped, ask)
            if timeouts is not None:
                timeouts.forget(ask)
        if type(value) is Failure:
            raise value.error
        return value  # type: ignore[no-any-return]  # a slot is untyped; the handler's signature says what it holds

    async def tell(self, method: Handler[A_co, P, Any], /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Have the handler called, some time; wait for room in the mailbox only.

        A message to an actor that does not run is a dead letter, not an error. Raises MailboxFull for an overflow of
        `fail`.
        """
        inbox = self._inbox
        items = inbox.items
        try:
            name = method.name
        except AttributeError:
            name = name_of(method)
        if len(items) < inbox.room:
            items.append((name, args, kwargs or None))
            if inbox.parked is not None:
                inbox.wake()
        else:
            admission = self._cell.admit_tell((name, args, kwargs or None))
            if admission is not None:
                await admission

    def try_tell(self, method: Handler[A_co, P, Any], /, *args: P.args, **kwargs: P.kwargs) -> bool:
        """`tell` that never waits: False if the mailbox is full or the actor does not run."""
        inbox = self._inbox
        items = inbox.items
        try:
            name = method.name
        except AttributeError:
            name = name_of(method)
        if len(items) < inbox.room:
            items.append((name, args, kwargs or None))
            if inbox.parked is not None:
                inbox.wake()
            return True
        return self._cell.admit_nowait((name, args, kwargs or None))

    def options(self, *, on_restarting: Literal["wait", "fail"] = "wait") -> ActorRef[A_co]:
        """The same actor; with `on_restarting="fail"` an ask raises ActorRestarting rather than wait for a restart."""
        return ActorRef(self._cell, patient=on_restarting == "wait")

    @property
    def path(self) -> str:
        """The actor's name below those of its parents: `etl/load`."""
        return self._cell.path

    @property
    def running(self) -> bool:
        """False once the actor takes no more messages."""
        return not self._inbox.closed

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """In a validated signature a reference is itself."""
        return import_module("pydantic_core.core_schema").is_instance_schema(cls)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ActorRef) and self._cell is other._cell

    def __hash__(self) -> int:
        return id(self._cell)

    def __repr__(self) -> str:
        return f"<ActorRef {self._cell.path}#{self._cell.incarnation}>"


def cell_of(ref: ActorRef[Any]) -> Cell:
    """For the system's own modules: what stands behind `ref`."""
    return ref._cell


def load_of(ref: ActorRef[Any]) -> int:
    """Messages that wait for the actor and in its hand."""
    return len(ref._inbox.items) + len(ref._inbox.waiting or ()) + (ref._cell.current is not None)
