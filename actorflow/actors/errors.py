"""Errors of actors, and the base of every error that actorflow raises.

ActorflowError                  base of all; the other floors derive theirs from it
 └── ActorError                 base of what actors raise
      ├── AskError              an ask that got no reply
      │    ├── ActorNotRunning  the target has ended, is stopping, or never was; at once
      │    ├── ActorCrashed     the target crashed over this message; carries the remote traceback
      │    ├── ActorRestarting  the target is between two incarnations, and the asker did not want to wait
      │    ├── AskTimeout       the time ran out, on the way or by the system's default (also a TimeoutError)
      │    ├── AskCycle         the target waits, itself or through others, for the asker
      │    └── OutcomeUnknown   the connection was lost after bytes may have left: it may have been handled, or not
      ├── MailboxFull           refused or dropped by a full mailbox
      ├── StashFull             an actor has set aside as many messages as it may
      ├── MessageRefused        arguments or reply that could not be sent to another process (strict, wire)
      ├── UnknownHandler        the actor has no such handler
      ├── RemoteError          an error of another process whose own type is not known here
      ├── ProcessLost          the process of a placed actor ended, and not because it was asked to
      ├── LinkedActorEnded      why an actor crashed that was linked to another
      ├── SpawnFailed           an actor that did not come up, or was not started
      └── NameTaken             another actor has this name
"""

from __future__ import annotations

import traceback as _traceback

from actorflow_supervisors.crash_dump import FATAL as _FATAL


class ActorflowError(Exception):
    """Base of every error that actorflow raises."""


class ActorError(ActorflowError):
    """Base of every error that actors raise."""


class AskError(ActorError):
    """An ask that got no reply; its subclass says why. Exactly one is raised for an ask."""


class ActorNotRunning(AskError):
    """The target has ended, is stopping, or never was. The message was not handled, or not to its end."""

    def __init__(self, actor: str, doing: str = "is not running") -> None:
        super().__init__(f"actor {actor!r} {doing}")
        self.actor = actor


class ActorCrashed(AskError):
    """The target crashed while it handled this message.

    actor: its path. error: the exception, when it crashed in this process; also the cause of this one.
    """

    def __init__(self, actor: str, handler: str, error: BaseException, remote_traceback: str = "") -> None:
        super().__init__(f"actor {actor!r} crashed in {handler}: {type(error).__name__}: {error}")
        self.actor = actor
        self.handler = handler
        self.error = error
        self._remote_traceback = remote_traceback
        self.__cause__ = error

    @property
    def remote_traceback(self) -> str:
        """The traceback at the actor, as Python prints it."""
        for error in (self.error, self.error.__cause__):
            if isinstance(error, RemoteError):
                return error.remote_traceback
        return self._remote_traceback or "".join(_traceback.format_exception(self.error))


class ActorRestarting(AskError):
    """The target is between two incarnations; without `on_restarting="fail"` the ask would have waited for the next."""

    def __init__(self, actor: str) -> None:
        super().__init__(f"actor {actor!r} is restarting; ask again, or let the ask wait")
        self.actor = actor


class AskTimeout(AskError, TimeoutError):
    """The time for this ask ran out.

    path: the actors that waited for one another when it did, the asked one first.
    """

    def __init__(self, path: tuple[str, ...], handler: str, why: str) -> None:
        super().__init__(f"no reply to {handler} from {' -> '.join(map(repr, path))}: {why}")
        self.path = path
        self.handler = handler


class AskCycle(AskError):
    """The target waits for the asker, itself or through others, so no reply could ever come.

    path: the asker first and last, each actor before the one it waits for.
    """

    def __init__(self, path: tuple[str, ...]) -> None:
        super().__init__(
            f"a cycle of asks: {' -> '.join(map(repr, path))}; tell one of them, or answer with a deferred reply"
        )
        self.path = path


class OutcomeUnknown(AskError):
    """The connection was lost after bytes may have left: the message may have been handled, or not."""


SLOW_THE_SENDERS = "raise its capacity or slow the senders"


class MailboxFull(ActorError):
    """The mailbox is full and its overflow policy does not wait, or the sender is the one who has to empty it."""

    def __init__(self, actor: str, capacity: int, overflow: str, help: str = SLOW_THE_SENDERS) -> None:
        super().__init__(
            f"mailbox of {actor!r} is full ({capacity:,} of {capacity:,} messages, overflow {str(overflow)!r}); {help}"
        )
        self.actor = actor
        self.capacity = capacity


class StashFull(ActorError):
    """An actor has set aside as many messages as its mailbox holds, so it can set aside no more."""

    def __init__(self, actor: str, capacity: int) -> None:
        super().__init__(
            f"stash of {actor!r} is full ({capacity:,} of {capacity:,} messages); "
            "unstash_all() in time, or raise the capacity of its mailbox"
        )
        self.actor = actor
        self.capacity = capacity


class MessageRefused(ActorError):
    """Arguments or a reply that do not fit the handler's signature, or cannot be sent to another process."""


class UnknownHandler(ActorError):
    """The actor's class has no such `@handler` method."""

    def __init__(self, actor: str, handler: str, known: tuple[str, ...]) -> None:
        super().__init__(f"actor {actor!r} has no handler {handler!r}; it has: {', '.join(known) or 'none'}")
        self.actor = actor
        self.handler = handler


class RemoteError(ActorError):
    """An error that was raised in another process, in words.

    type_name: what its class is called there. message: its text. remote_traceback: as Python prints it.
    """

    def __init__(self, type_name: str, message: str, remote_traceback: str) -> None:
        super().__init__(f"{type_name}: {message}" if message else type_name)
        self.type_name = type_name
        self.message = message
        self.remote_traceback = remote_traceback
        if remote_traceback:
            self.add_note(remote_traceback.rstrip("\n"))  # so that a log shows where it was


class ProcessLost(ActorError):
    """The process of a placed actor ended, and not because it was asked to.

    pid: its number. how: `exit code 3`, `signal 9 (SIGKILL)`, `its owner: ...` with why. last_rss_bytes: of its tree
    when last measured, 0 for never. last_lines: of what it wrote to standard error.
    """

    def __init__(self, pid: int, how: str, last_rss_bytes: int, last_lines: str) -> None:
        held = f", {last_rss_bytes / (1 << 20):,.0f} MiB resident when last seen" if last_rss_bytes else ""
        said = f"; its last lines on standard error:\n{last_lines}" if last_lines else ""
        super().__init__(f"process {pid} ended by {how}{held}{said}")
        self.pid = pid
        self.how = how
        self.last_rss_bytes = last_rss_bytes
        self.last_lines = last_lines

    @property
    def brief(self) -> str:
        """One line: how it ended, and the last that it wrote, or what a dump begins with."""
        lines = self.last_lines.splitlines()
        said = [text for text in lines if text.startswith(_FATAL)] or lines[-1:]
        return f"process {self.pid} ended by {self.how}{''.join(f'; it last wrote: {words}' for words in said)}"


class LinkedActorEnded(ActorError):
    """A linked actor ended, and not normally. `reason` is in words."""

    def __init__(self, actor: str, reason: str) -> None:
        super().__init__(f"linked actor {actor!r} ended: {reason}")
        self.actor = actor
        self.reason = reason


class SpawnFailed(ActorError):
    """An actor that did not come up, or was not started; the error that stopped it is the cause."""


class NameTaken(ActorError):
    """Another actor has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the name {name!r} is taken by a running actor; stop it first, or choose another name")
        self.name = name
