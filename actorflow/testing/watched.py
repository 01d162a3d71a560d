"""Watched system: an actor system whose actors' lives are logged, and which crash where a plan says so."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from actorflow.actors.actor import Actor
from actorflow.actors.boundary import ArgumentsRefusedError
from actorflow.actors.cell import Cell
from actorflow.actors.dead_letters import DeadLetter
from actorflow.actors.dispatch import Method
from actorflow.actors.envelope import Ask
from actorflow.actors.mailbox import Mailbox
from actorflow.actors.system import ActorSystem
from actorflow.testing.event_log import EventKind, EventLog
from actorflow.testing.faults import At, CrashPlan, Steps
from actorflow.testing.probe import Catcher
from actorflow_supervisors.child import ChildPolicy, Verdict
from actorflow_supervisors.exit_reason import ExitReason, describe


class WatchedSystem(ActorSystem):
    """The system of a kit."""

    def watch_by(self, log: EventLog, plan: CrashPlan) -> None:
        """Once entered: write to `log`, and crash actors by `plan`."""
        self.log = log
        self.plan = plan
        self.dead_letters.subscribe(self._log_dead_letter)

    def new_cell(
        self,
        parent: Cell | None,
        factory: Callable[[], Actor],
        name: str | None,
        policy: ChildPolicy,
        mailbox: Mailbox,
    ) -> Cell:
        return WatchedCell(self, parent, factory, name, policy, mailbox)

    def _log_dead_letter(self, letter: DeadLetter) -> None:
        self.log.add(EventKind.dead_letter, letter.actor, f"{letter.handler} {letter.reason}")


class WatchedCell(Cell):
    """A cell that logs its life."""

    __slots__ = ("_injected", "_log", "_plan")

    def __init__(
        self,
        system: WatchedSystem,
        parent: Cell | None,
        factory: Callable[[], Actor],
        name: str | None,
        policy: ChildPolicy,
        mailbox: Mailbox,
    ) -> None:
        super().__init__(system, parent, factory, name, policy, mailbox)
        self._log = system.log
        self._plan = system.plan
        self._injected: BaseException | None = None

    # The log.

    def note(self, kind: EventKind, detail: str = "") -> None:
        """Log what happens to the present incarnation."""
        self._log.add(kind, f"{self.path}#{self.incarnation}", detail)

    def mark_started(self) -> None:
        self.note(EventKind.started)
        super().mark_started()

    def on_exit(self, reason: ExitReason, verdict: Verdict) -> None:
        self.note(EventKind.ended, f"{describe(reason)}; {verdict}")
        super().on_exit(reason, verdict)

    def on_end(self, reason: ExitReason) -> None:
        self.note(EventKind.gone)
        super().on_end(reason)

    def send_reply(self, ask: Ask, reply: object) -> None:
        # A probe has no signature that a strict system could check its replies against.
        if isinstance(self.actor, Catcher):
            ask.reply(reply)
        else:
            super().send_reply(ask, reply)

    # Crashes.

    def crash_now(self, error: BaseException) -> None:
        """Let the present incarnation crash over `error`, in the midst of its message if it has one in hand."""
        if self.in_own_task():
            raise RuntimeError(f"actor {self.path!r} cannot be crashed from its own handler; raise the error there")
        if self.actor is None or self.ended or self._ending or self.stop_reason is not None:
            raise RuntimeError(f"actor {self.path!r} is {self.state}, so there is nothing to crash; settle() first")
        self._inject(error)
        if self.inbox.parked is not None:
            self.inbox.wake()
        elif self._region is not None:
            self._region.cancel()

    def _inject(self, error: BaseException) -> None:
        self.note(EventKind.crash_injected, f"{type(error).__name__}: {error}")
        self._injected = error
        self._leaving = self.exit_reason_of(error)
        self._signals += 1

    def _fail_current(self, why: str) -> None:
        injected, self._injected = self._injected, None
        if injected is not None and self.stop_reason is None:
            self._crash(injected)
        super()._fail_current(why)

    def _clear_signals(self) -> None:
        self._injected = None
        super()._clear_signals()

    # The messages.

    def _bind(self, actor: Actor) -> dict[str, Method]:
        if isinstance(actor, Catcher):
            return actor.methods(self._noted)
        return {name: self._watched(name, method) for name, method in super()._bind(actor).items()}

    def _noted(self, name: str, method: Method) -> Method:
        def call(*args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
            self.note(EventKind.handling, name)
            return method(*args, **kwargs)

        return call

    def _watched(self, name: str, method: Method) -> Method:
        def call(*args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
            try:
                coroutine = method(*args, **kwargs)
            except TypeError as error:  # the arguments do not fit; a handler's own errors come when it is awaited
                raise ArgumentsRefusedError(str(error)) from error
            return self._run(name, coroutine)

        return call

    async def _run(self, name: str, coroutine: Coroutine[Any, Any, Any]) -> Any:
        self.note(EventKind.handling, name)
        error = self._plan.due(self.path, At.message)
        if error is not None:
            coroutine.close()
            self.note(EventKind.crash_injected, f"{type(error).__name__}: {error}")
            raise error
        return await Steps(coroutine, self._on_checkpoint)

    def _on_checkpoint(self) -> None:
        error = self._plan.due(self.path, At.checkpoint)
        if error is not None and self._region is not None and self.stop_reason is None:
            self._inject(error)
            self._region.cancel()
