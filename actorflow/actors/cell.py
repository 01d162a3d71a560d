"""Cell: one actor's life, kept by the supervisor's side: its mailbox, its incarnations, every outcome it owes."""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import anyio

from actorflow.actors import admission, ask_chain, faults, stash
from actorflow.actors.actor import Actor
from actorflow.actors.context import Context
from actorflow.actors.dead_letters import DeadLetter, DeadLetterReason
from actorflow.actors.dispatch import NO_METHODS, NO_TABLE, Method, Table, leaf_of, table_of
from actorflow.actors.envelope import NEVER_S, Ask, DownNotice, Message, Retold, Tell, Tick, handler_name
from actorflow.actors.errors import (
    ActorNotRunning,
    ActorRestarting,
    AskTimeout,
    MessageRefused,
    SpawnFailed,
)
from actorflow.actors.holdings import Holdings
from actorflow.actors.mailbox import Inbox, Mailbox
from actorflow.actors.monitor import Down, Monitor
from actorflow.actors.ref import ActorRef
from actorflow_supervisors.child import Child, ChildPolicy, Verdict
from actorflow_supervisors.dynamic import DynamicSupervisor
from actorflow_supervisors.exit_reason import (
    INTENSITY,
    Crashed,
    ExitReason,
    InitFailed,
    Shutdown,
    describe,
    is_abnormal,
)
from actorflow_supervisors.policy import should_restart
from actorflow_supervisors.tree import ChildState

if TYPE_CHECKING:
    from actorflow.actors.observer import View
    from actorflow.actors.system import ActorSystem

logger = logging.getLogger("actorflow.actors")

FIRST_BATCH = 32
LARGEST_BATCH = 256
"""Messages handled before the loop turns once."""
LONG_BATCH_S = 0.001
"""A batch that took longer is halved next time, so that neighbours and cancellation stay alive."""


class Cell(Child):
    """One actor's life.

    table: what its class answers to, once there is an instance. current: the message in hand. waiting_on: the ask
    that blocks its handler. also_waiting_on: the asks of tasks in its handler's task groups. restarting: between the
    end of one incarnation and the start of the next. watched_by_parent: the parent monitors it, or did until an
    incarnation ended, so it decides itself when this one gives up.
    """

    __slots__ = (
        "_ending",
        "_factory",
        "_leaving",
        "_monitors",
        "_name",
        "_native_task",
        "_signals",
        "actor",
        "also_waiting_on",
        "children",
        "current",
        "handled",
        "holdings",
        "inbox",
        "named",
        "parent",
        "restarting",
        "system",
        "table",
        "waiting_on",
        "watched_by_parent",
    )

    def __init__(
        self,
        system: ActorSystem,
        parent: Cell | None,
        factory: Callable[[], Actor],
        name: str | None,
        policy: ChildPolicy,
        mailbox: Mailbox,
    ) -> None:
        super().__init__(policy)
        self.system = system
        self.parent = parent
        self.inbox = Inbox(mailbox, inspected=system.strict)
        self.current: Message | None = None
        self.waiting_on: Ask | None = None
        self.also_waiting_on: dict[Ask, None] | None = None
        self.handled = 0
        self.restarting = False
        self.children: DynamicSupervisor | None = None
        self.holdings: Holdings | None = None
        self._factory = factory
        self._name = name
        # A name given is kept whole: a pipeline's actors are looked up by it several times a task.
        self.named = None if name is None else name if parent is None else f"{parent.path}/{name}"
        self.actor: Actor | None = None
        self.table: Table = NO_TABLE
        self._native_task: object = None
        self._monitors: dict[Monitor, None] | None = None
        self.watched_by_parent = False
        self._signals = 0
        self._ending = True
        self._leaving: ExitReason | None = None

    # What it is called, and what it shows.

    @property
    def ref(self) -> ActorRef[Any]:
        """A new reference each time: one kept here would be a cycle, and the cell garbage for the collector."""
        return ActorRef(self)

    @property
    def name(self) -> str:
        """As given, or made from the factory and a number when first asked for."""
        if self._name is None:
            self._name = f"{self.actor_name.lower()}-{self.system.next_number()}"
        return self._name

    @property
    def path(self) -> str:
        return self.named or (self.name if self.parent is None else f"{self.parent.path}/{self.name}")

    @property
    def label(self) -> str:
        return self.path

    @property
    def actor_name(self) -> str:
        """The name of its class, or of the factory before there is an instance."""
        made = getattr(self._factory, "func", self._factory)
        return str(getattr(made, "__name__", type(made).__name__)).strip("<>")

    @property
    def deadline_s(self) -> float:
        """Of the message in hand, on the loop's clock."""
        return self.current.deadline_s if isinstance(self.current, Ask) else NEVER_S

    def look(self) -> View | None:
        """What is known of its process, which is asked for news; None where it has none of its own."""
        return None

    def dead_letter(self, message: Message, reason: DeadLetterReason, errors: tuple[BaseException, ...] = ()) -> None:
        """Record that `message` was not handled, or not to its end."""
        letter = DeadLetter(actor=self.path, handler=handler_name(message), reason=reason, errors=errors)
        self.system.dead_letters.add(letter)

    # What senders call.

    def admit_tell(self, message: Tell) -> Awaitable[None] | None:
        """What the sender awaits; None where there is nothing to wait for, which saves a coroutine."""
        return admission.admit_tell(self, message)

    def admit_nowait(self, message: Tell) -> bool:
        return admission.admit_nowait(self, message)

    def admit_ask(self, ask: Ask) -> Awaitable[None] | None:
        """As `admit_tell`."""
        return admission.admit_ask(self, ask)

    def before_ask(self, ask: Ask) -> None:
        """This actor's handler is about to wait for `ask`. Raises AskCycle if it would wait for itself."""
        ask_chain.refuse_cycle(self, ask)
        ask.deadline_s = min(ask.deadline_s, self.deadline_s)
        self.waiting_on = ask

    def asker_gone(self, ask: Ask, cancelled: BaseException | None = None) -> None:
        """The asker stopped waiting: end the handler if it is at work for it; in the mailbox it will be skipped."""
        if cancelled is not None:
            cancelled.add_note(f"while waiting for {ask.name} of {' -> '.join(ask.waiting_path())}")
        ask.reply(None)  # Nobody waits in its slot if it was cancelled on the way into the mailbox.
        if self.current is ask and self._region is not None:
            self._signals += 1
            self._region.cancel()

    def in_own_task(self) -> bool:
        """True inside the task that runs the handlers."""
        return self._native_task is not None and self.system.current_task() is self._native_task

    # What the actor itself calls, through its context.

    def leave(self, reason: ExitReason) -> None:
        """End this incarnation after the message in hand."""
        if self._leaving is None:
            self._leaving = reason
        self._signals += 1
        if not should_restart(self.policy.restart, reason):
            admission.close(self)
        if self.inbox.parked is not None:
            self.inbox.wake()

    def end_now(self, reason: ExitReason) -> None:
        """End this incarnation at once, the message in hand included; its restart policy decides what follows."""
        if self.ended or self._ending or self.stop_reason is not None:
            return
        if self._leaving is None:
            self._leaving = reason
        self.interrupt()

    def new_context(self) -> Context:
        """For the actor, when it first asks."""
        return Context(self)

    def held(self) -> Holdings:
        """What this incarnation holds; made on first use."""
        if self.holdings is None:
            self.holdings = Holdings()
        return self.holdings

    def child_supervisor(self) -> DynamicSupervisor:
        """The supervisor of its children. Raises SpawnFailed when the incarnation is ending."""
        if self._ending or self.ended:
            raise SpawnFailed(f"actor {self.path!r} is ending, so it spawns no children")
        if self.children is None:
            self.children = self.system.new_supervisor()
        return self.children

    # Monitors.

    def add_monitor(self, monitor: Monitor) -> bool:
        """True if `monitor` will be notified; False if this actor has ended already."""
        if self.ended:
            return False
        if self._monitors is None:
            self._monitors = {}
        self._monitors[monitor] = None
        return True

    def drop_monitor(self, monitor: Monitor) -> None:
        if self._monitors is not None:
            self._monitors.pop(monitor, None)

    def _send_down(self, reason: ExitReason) -> None:
        monitors, self._monitors = self._monitors, None
        if monitors:
            down = Down(self.ref, reason, self.incarnation)
            for monitor in monitors:
                monitor.notify(down)

    # What the supervisor calls.

    def request_stop(self, reason: ExitReason) -> None:
        if not self.ended:
            admission.close(self)
        super().request_stop(reason)

    def interrupt(self) -> None:
        self._signals += 1
        if self.inbox.parked is not None:
            self.inbox.wake()
        elif self._region is not None and not self.in_own_task():
            self._region.cancel()

    def grace_extended(self) -> bool:
        grace_until_s = 0.0 if self.holdings is None else self.holdings.grace_until_s
        return bool(self.children) or self._seam.now_s() < grace_until_s

    def on_exit(self, reason: ExitReason, verdict: Verdict) -> None:
        if verdict is Verdict.restart:
            if self.holdings is not None and self.holdings.forgiven:
                self.refund_restart()
            stash.put_back(self)
            self._fail_impatient()
        else:
            self._close_for_good()
        if self.holdings is not None:
            holdings, self.holdings = self.holdings, None
            holdings.release(self.path, reason)
        if verdict is Verdict.give_up:
            self._give_up()
        else:
            self._send_down(reason)
        if is_abnormal(reason) and logger.isEnabledFor(logging.ERROR):
            error = reason.error if isinstance(reason, Crashed | InitFailed) else None
            logger.error("actor %s %s; verdict: %s", self.path, describe(reason), verdict, exc_info=error)

    def _give_up(self) -> None:
        """Its budget is spent: the parent's turn, which ends too unless it wanted to be told."""
        self._send_down(Shutdown(INTENSITY))
        if self.parent is not None and not self.watched_by_parent:
            self.parent.end_now(Shutdown(INTENSITY))

    def on_end(self, reason: ExitReason) -> None:
        self.system.cells.pop(self._native_task, None)
        self.actor = None
        if self.children is not None:  # it was abandoned before it could stop them
            self.children.stop_all_nowait(Shutdown("parent"))
        if not self.inbox.closed or self.named or self._monitors or self.current is not None:
            self._close_for_good()
            self._send_down(reason)

    def _close_for_good(self) -> None:
        if not self.inbox.closed:
            admission.close(self)
        self._fail_current("was stopped while it handled the message")
        if self.named:
            self.system.names.free(self)

    def _fail_impatient(self) -> None:
        for message in [m for m in self.inbox.items if isinstance(m, Ask) and not m.patient]:
            self.inbox.items.remove(message)
            message.fail(ActorRestarting(self.path))

    # One incarnation.

    async def incarnate(self) -> ExitReason:
        """From the factory to the last message; says why it was the last.

        The loop over messages stands here in full on purpose: each call left out of it is 5 to 10% of a message, and
        each coroutine left out 250 bytes of an idle actor.
        """
        try:
            actor = self._make_actor()
        except BaseException as error:  # noqa: BLE001 - whatever leaves an actor becomes an exit reason
            self.restarting = True
            return InitFailed(error)
        inbox, seam = self.inbox, self._seam
        methods = NO_METHODS
        batch = FIRST_BATCH
        message: Message | None
        args: tuple[Any, ...] | None
        while True:
            self._clear_signals()
            self._region = seam.interrupt()
            try:
                with self._region:
                    if self.state is ChildState.starting:
                        if self.table.has_started:
                            ask_chain.in_actor.set(True)
                            await actor.started()
                        self.restarting = False
                        self.mark_started()
                    while self._signals == 0:
                        items = inbox.items
                        if items and methods is NO_METHODS:
                            methods = self._bind(actor)
                            ask_chain.in_actor.set(True)
                        begun_s = seam.now_s() if len(items) >= batch else None
                        done = 0
                        try:
                            for done in range(batch):  # noqa: B007 - counts the messages, for `finally`
                                if not items:
                                    break
                                self.current = message = items.popleft()
                                if inbox.waiting is not None and len(items) <= inbox.settings.low_water:
                                    inbox.take_in()
                                if type(message) is tuple:
                                    name, args, kwargs = message
                                    if kwargs is None:
                                        await methods[name](*args)
                                    else:
                                        await methods[name](*args, **kwargs)
                                elif type(message) is Ask:
                                    if not message.slot.done() and (
                                        message.deadline_s == NEVER_S or self._is_in_time(message)
                                    ):
                                        self.answer(
                                            message, await methods[message.name](*message.args, **message.kwargs)
                                        )
                                    self.current = None
                                else:
                                    await self._handle_other(message, actor, methods)
                                if self._signals:
                                    self.handled += 1
                                    break
                            else:
                                self.handled += 1
                                self.current = None
                                batch = self._next_batch(batch, begun_s)
                                await seam.checkpoint()
                        except Exception as error:
                            if not faults.settle_answer(self, error):
                                raise
                            self.handled += 1
                        finally:
                            self.handled += done
                        self.current = None
                        if inbox.waiting is not None:
                            inbox.take_in()
                        if inbox.items or self._signals:
                            continue
                        message = args = kwargs = None  # Nothing of the last message is kept while it waits.
                        inbox.parked = self.system.new_slot()
                        try:
                            await inbox.parked
                        finally:
                            inbox.parked = None
            except seam.cancelled as error:
                if self.stop_reason is None:
                    reason = self._crash(error)
                    break
            except BaseException as error:  # noqa: BLE001 - whatever leaves an actor becomes an exit reason
                reason = self._crash(error)
                break
            finally:
                self._region = None
            if self.stop_reason is not None:
                self._fail_current("was stopped while it handled the message")
                reason = self.stop_reason
                break
            if self._leaving is not None:
                self._fail_current("ended while it handled the message")
                reason = self._leaving
                break
            self.current = None  # Its asker has gone, and it was interrupted; the actor goes on.
        self._ending = self.restarting = True
        if self.children is not None or self.table.has_stopping:
            return await self._wind_down(actor, reason)
        return reason

    def _next_batch(self, batch: int, begun_s: float | None) -> int:
        """How many messages come before the next turn of the loop, after a batch that began then; None: not timed."""
        if begun_s is None:
            return batch
        return batch // 2 or 1 if self._seam.now_s() - begun_s > LONG_BATCH_S else min(batch * 2, LARGEST_BATCH)

    def _make_actor(self) -> Actor:
        self._native_task = self._seam.current_task()
        self.system.cells[self._native_task] = self
        actor = self._factory()
        self.actor = actor
        self.table = table_of(type(actor))
        if self.system.boundary is not None:
            self._bind(actor)
        actor._actorflow_cell = self
        self._ending = False
        return actor

    def _bind(self, actor: Actor) -> dict[str, Method]:
        methods = self.table.bind(actor)
        return methods if self.system.boundary is None else self.system.boundary.checked(actor, methods)

    def _clear_signals(self) -> None:
        self._signals = 0
        self._leaving = None

    def _fail_current(self, why: str) -> None:
        if isinstance(self.current, Ask):
            self.current.fail(ActorNotRunning(self.path, why))
        self.current = None

    def _is_in_time(self, ask: Ask) -> bool:
        """False if its deadline has passed; then it is told so."""
        if ask.deadline_s > self._seam.now_s():
            return True
        self.dead_letter(ask, DeadLetterReason.expired)
        ask.fail(AskTimeout((self.path,), ask.name, "its deadline had passed before its turn came, so it was skipped"))
        return False

    def answer(self, ask: Ask, reply: object) -> None:
        """Send the reply of the handler that has returned, unless it is deferred."""
        if ask.deferred or ask.slot.done():
            return
        if self.system.boundary is None:
            ask.slot.set_result(reply)
        else:
            self.send_reply(ask, reply)

    def send_reply(self, ask: Ask, reply: object) -> None:
        """Send a reply."""
        boundary = self.system.boundary
        if boundary is None:
            ask.reply(reply)
            return
        try:
            ask.reply(boundary.reply(self, ask, reply))
        except MessageRefused as error:
            ask.fail(error)

    async def _handle_other(self, message: Message, actor: Actor, methods: dict[str, Method]) -> None:
        if isinstance(message, DownNotice):
            if message.monitor.take() and self.table.has_down:
                await actor.down(message.down)
        elif isinstance(message, Tick):
            message.queued = False
            if message.incarnation == self.incarnation:
                await methods[message.name](*message.args, **message.kwargs)
        elif isinstance(message, Retold):
            await methods[message.name](*message.args, **message.kwargs)

    # The end of an incarnation.

    def _crash(self, error: BaseException) -> ExitReason:
        error = leaf_of(error)
        self.restarting = True
        message, self.current = self.current, None
        if isinstance(message, tuple | Ask | Retold):
            faults.settle_crash(self, message, error)
        return self.exit_reason_of(error)

    async def _wind_down(self, actor: Actor, reason: ExitReason) -> ExitReason:
        """Stop the children, then run the hook; the reason as it stands after that."""
        if self.children is not None:
            await self.children.stop_all(Shutdown("parent"))
            self.children = None
        if self.table.has_stopping:
            return await self._say_goodbye(actor, reason)
        return reason

    async def _say_goodbye(self, actor: Actor, reason: ExitReason) -> ExitReason:
        """Run `stopping`, within the grace; an error in it is the reason if the incarnation was well until then."""
        now_s = self._seam.now_s()
        shutdown_s = self.system.stop_bound.shrunk(self.policy.shutdown_s, now_s)
        self.held().grace_until_s = math.inf if shutdown_s is None else now_s + shutdown_s
        try:
            with anyio.move_on_after(shutdown_s, shield=True):
                await actor.stopping(reason)
        except BaseException as error:  # noqa: BLE001 - whatever leaves an actor becomes an exit reason
            return reason if is_abnormal(reason) else Crashed(leaf_of(error))
        return reason
