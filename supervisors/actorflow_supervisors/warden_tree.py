"""Warden tree: one process that a warden started, with everything below it, on its way to its end.

The root is reaped last, so that its number means nobody else meanwhile. A member is signalled and awaited through a
pidfd, which cannot come to mean another process either.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator

from actorflow_supervisors.process_tree import Member, Stat, below, children, environment, is_alive, stat_of
from actorflow_supervisors.warden_ladder import Action, Event, Ladder, Stage
from actorflow_supervisors.warden_memory import TreeMemory

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing itself is not worth its import
    from typing import Protocol

    from actorflow_supervisors.warden_cgroup import Groups

    class Loop(Protocol):
        """What a tree asks of its warden."""

        pid: int
        groups: Groups

        def now_s(self) -> float: ...
        def is_root(self, pid: int) -> bool: ...
        def watch(self, fd: int, callback: Callable[[], None]) -> None: ...
        def unwatch(self, fd: int) -> None: ...
        def gone(self, tree: Tree) -> None: ...
        def hear(self) -> None: ...


_SWEEPS = 20
"""Passes that find and stop what a dying tree still starts, before it is killed as it is."""


class Tree:
    """A started process and what it starts.

    id: its supervisor's number for it. marker: `NAME=value` of its environment. stopped_limit_s: how long a signal may
    hold it stopped, 0 for as long as it likes. cause: why its warden killed it, "" where it did not. survivors: pids
    that SIGKILL did not end in time.
    """

    def __init__(self, id: int, pid: int, marker: bytes, loop: Loop, *, stopped_limit_s: float = 0.0) -> None:
        self.id = id
        self.pid = pid
        self.marker = marker
        self.stopped_limit_s = stopped_limit_s
        self.cause = ""
        self.survivors: list[int] = []
        self.memory = TreeMemory(pid, loop.groups, id)
        self.pidfd = os.pidfd_open(pid)
        stat = stat_of(pid)
        self.started = 0.0 if stat is None else stat.started
        self._loop = loop
        self._ladder = Ladder()
        self._held: dict[Member, int] = {}
        self._has_unheld = False
        self._stopped_from_s: float | None = None
        loop.watch(self.pidfd, self._root_ended)

    def stop(self, grace_s: float) -> None:
        """SIGTERM, `grace_s` seconds, SIGKILL, to the whole tree."""
        self._do(self._ladder.stop(self._loop.now_s(), grace_s))

    def kill(self, cause: str = "") -> None:
        """SIGKILL to the whole tree, now."""
        action = self._ladder.happened(Event.kill, self._loop.now_s())
        if action is Action.kill:
            self.cause = cause
        self._do(action)

    def tick(self) -> None:
        """Do what is due."""
        now_s = self._loop.now_s()
        if self._ladder.is_due(now_s):
            self._do(self._ladder.happened(Event.deadline, now_s))
        elif self._stopped_from_s is not None and now_s >= self._stopped_from_s + self.stopped_limit_s:
            self.kill("stopped")
        elif self._ladder.stage is not Stage.gone and self.memory.sample(now_s):
            self._loop.hear()  # what it is told to do was told after its quota: that may be another by now
            if self.memory.is_breached:
                self.kill("memory")

    def due_s(self) -> float | None:
        """When `tick` is to be called next."""
        stopped_s = None if self._stopped_from_s is None else self._stopped_from_s + self.stopped_limit_s
        return min(
            (due for due in (self._ladder.deadline_s, stopped_s, self.memory.due_s) if due is not None), default=None
        )

    def halted(self, *, by_signal: bool) -> None:
        """Its root was stopped by a signal, or goes on."""
        counts = by_signal and self.stopped_limit_s > 0 and self._ladder.stage is Stage.running
        self._stopped_from_s = self._loop.now_s() if counts else None

    def child_ended(self) -> None:
        """Some child of the warden has ended: look again, where a member could not be watched."""
        if self._has_unheld:
            self._has_unheld = False
            self._settle()

    def claims(self, orphan: Stat) -> bool:
        """Whether it has started this process."""
        return orphan.session == self.pid or (orphan.started >= self.started and self.marker in environment(orphan.pid))

    def close(self) -> None:
        """Let go of all descriptors."""
        for fd in (*self._held.values(), self.pidfd):
            self._loop.unwatch(fd)
            os.close(fd)
        self._held.clear()

    def _root_ended(self) -> None:
        self._loop.unwatch(self.pidfd)
        self._stopped_from_s = None
        if self._ladder.stage is Stage.running and self.memory.was_killed:
            self.cause = "memory"
        self.memory.end()
        self._do(self._ladder.happened(Event.ended, self._loop.now_s()))

    def _do(self, action: Action) -> None:
        if action is Action.terminate:
            self._terminate()
        elif action is Action.kill:
            self._kill()
        elif action is Action.confirm:
            self._confirm()
        elif action is Action.bury:
            self._bury()

    def _terminate(self) -> None:
        for member in self._members():
            if self._hold(member):
                self._send(member, signal.SIGTERM)
                self._send(member, signal.SIGCONT)  # a stopped process acts on SIGTERM only once it goes on
        self._settle()

    def _kill(self) -> None:
        """Stop every process first, so that none starts another while we look."""
        self._stopped_from_s = None
        self.memory.kill()
        stopped: set[Member] = set()
        for _ in range(_SWEEPS):
            new = [member for member in self._members() if member not in stopped]
            if not new:
                break
            stopped.update(new)
            for member in new:
                self._hold(member)
                self._send(member, signal.SIGSTOP)
        for member in stopped:
            self._send(member, signal.SIGKILL)
        self._settle()

    def _confirm(self) -> None:
        if self._members():
            self._kill()
        else:
            self._bury()

    def _bury(self) -> None:
        self.survivors = [member.pid for member in self._held if is_alive(member)]
        self._ladder.buried()
        self.close()
        self._loop.gone(self)
        self.memory.close()

    def _settle(self) -> None:
        if not self._held and not self._has_unheld:
            self._do(self._ladder.happened(Event.all_gone, self._loop.now_s()))

    def _hold(self, member: Member) -> bool:
        """Watch a member until it is gone; False if it is."""
        if member in self._held:
            return True
        try:
            fd = os.pidfd_open(member.pid)
        except ProcessLookupError:
            return False
        except OSError:  # too many descriptors: a fork bomb
            self._has_unheld = True
            return is_alive(member)
        if not is_alive(member):
            os.close(fd)
            return False
        self._held[member] = fd
        self._loop.watch(fd, lambda: self._member_gone(member))
        return True

    def _member_gone(self, member: Member) -> None:
        fd = self._held.pop(member)
        self._loop.unwatch(fd)
        os.close(fd)
        self._settle()

    def _send(self, member: Member, number: signal.Signals) -> None:
        fd = self._held.get(member)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if fd is not None:
                signal.pidfd_send_signal(fd, number)
            elif is_alive(member):
                os.kill(member.pid, number)

    def _members(self) -> list[Member]:
        return list(dict.fromkeys(stat.member for stat in self._stats() if not stat.gone))

    def _stats(self) -> Iterator[Stat]:
        """Itself, what is below it, and below the orphans that the warden has got from it."""
        root = stat_of(self.pid)
        if root is not None:
            yield root
            yield from below(self.pid)
        for pid in children(self._loop.pid):
            orphan = None if self._loop.is_root(pid) else stat_of(pid)
            if orphan is not None and self.claims(orphan):
                yield orphan
                yield from below(pid)
