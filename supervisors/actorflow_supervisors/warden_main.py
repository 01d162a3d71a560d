"""Warden main: the small process that starts, watches and ends all others for one supervisor.

| from | message | fields; descriptors |
|---|---|---|
| supervisor | start | id, marker, cwd, stopped limit s, length of argv, argv, environment, numbers; those |
| | zygote | as start |
| | fork | id, id of the zygote, marker, stopped limit s, payload; stdout, stderr, socket |
| | quota | id, bytes ("" for none) |
| | stop | id, grace s |
| | kill | id |
| | close | |
| warden | ready | 1 where it is a subreaper |
| | started | id, pid; its pidfd |
| | failed | id, why |
| | zygote | id, why it does not fork ("" where it does) |
| | rss | id, bytes, seconds of the monotonic clock |
| | exit | id, status of wait4, peak bytes, CPU s, last bytes, cause, quota, peak against it, survivors |

Whatever ends the supervisor ends its socket: everything that it had started is killed then, and whatever carries its
marker. One thread, which sleeps unless something happens; only memory is polled. Standard library only.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable

from actorflow_supervisors.prctl import become_subreaper
from actorflow_supervisors.warden_cgroup import Groups
from actorflow_supervisors.warden_end import end_all
from actorflow_supervisors.warden_frames import Frame, FrameError, FrameSocket
from actorflow_supervisors.warden_orphans import look_after_orphans
from actorflow_supervisors.warden_spawn import IGNORED, Spawner
from actorflow_supervisors.warden_start import StartOrder
from actorflow_supervisors.warden_tree import Tree
from actorflow_supervisors.warden_zygote import ForkRequest, ZygoteLink

_RSS_UNIT_BYTES = 1024


def main() -> None:
    """`sys.argv`: descriptor of the socket, pid of the supervisor, its marker or ""."""
    descriptor, supervisor_pid, marker = int(sys.argv[1]), int(sys.argv[2]), os.fsencode(sys.argv[3])
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    os.set_inheritable(descriptor, False)
    try:
        supervisor = os.pidfd_open(supervisor_pid)
    except ProcessLookupError:  # it was killed while this process started
        supervisor, end = os.pipe()
        os.close(end)
        end_all(supervisor, marker)
    else:
        Warden(FrameSocket(socket.socket(fileno=descriptor)), supervisor_pid, supervisor, marker).run()
    os._exit(0)


class Warden:
    """The loop, and what it watches."""

    def __init__(self, supervisor: FrameSocket, supervisor_pid: int, supervisor_pidfd: int, marker: bytes) -> None:
        self.pid = os.getpid()
        self.spawner = Spawner()
        self.groups = Groups()
        self._supervisor = supervisor
        self._supervisor_pidfd = supervisor_pidfd
        self._marker = marker
        self._selector = selectors.DefaultSelector()
        self._trees: dict[int, Tree] = {}
        self._roots: dict[int, Tree] = {}
        self._zygotes: dict[int, ZygoteLink] = {}
        self._is_writing = False
        self._is_over = os.getppid() != supervisor_pid  # else that number may mean another process
        self._commands: dict[str, Callable[[Frame], None]] = {
            "start": self._start,
            "zygote": self._start_zygote,
            "fork": self._fork,
            "quota": self._quota,
            "stop": lambda frame: self._tell_tree(frame, lambda tree: tree.stop(float(frame.fields[1]))),
            "kill": self._kill,
            "close": self._close,
        }

    def run(self) -> None:
        """Until its supervisor has ended, or closes it; then until nothing is left."""
        self._open()
        while not self._is_over:
            for key, _ in self._selector.select(self._timeout_s()):
                key.data()
            for tree in tuple(self._trees.values()):
                tree.tick()
            self._tell_memory()
            self._write()
        end_all(self._supervisor_pidfd, self._marker)
        self.groups.close()

    # what trees and zygotes ask

    def now_s(self) -> float:
        return time.monotonic()

    def is_root(self, pid: int) -> bool:
        return pid in self._roots

    def watch(self, fd: int, callback: Callable[[], None]) -> None:
        self._selector.register(fd, selectors.EVENT_READ, callback)

    def unwatch(self, fd: int) -> None:
        if fd in self._selector.get_map():
            self._selector.unregister(fd)

    def hear(self) -> None:
        """Whatever the supervisor has said so far."""
        self._serve()

    def began(self, id: int, pid: int, marker: bytes, stopped_limit_s: float) -> Tree:
        """A process that was asked for is there: tell who asked. Raises OSError where it cannot be watched."""
        try:
            tree = Tree(id, pid, marker, self, stopped_limit_s=stopped_limit_s)
        except OSError:  # no more descriptors
            os.kill(pid, signal.SIGKILL)
            raise
        self._trees[id] = self._roots[pid] = tree
        tree.memory.watch(self.now_s())
        self.tell("started", id, pid, fds=(tree.pidfd,))
        return tree

    def gone(self, tree: Tree) -> None:
        """Nothing of the tree is left: reap its root, and tell its end."""
        pid, status, usage = os.wait4(tree.pid, os.WNOHANG)
        memory = tree.memory
        self._trees.pop(tree.id)
        self._roots.pop(tree.pid)
        self.tell(
            "exit",
            tree.id,
            status if pid else int(signal.SIGKILL),
            usage.ru_maxrss * _RSS_UNIT_BYTES,
            usage.ru_utime + usage.ru_stime,
            memory.last_bytes,
            tree.cause,
            memory.quota_bytes or 0,
            memory.peak_bytes,
            " ".join(map(str, tree.survivors)),
        )
        zygote = self._zygotes.pop(tree.id, None)
        if zygote is not None:
            zygote.ended()
        self._look_after_orphans()

    def tell(self, name: str, *fields: bytes | str | int | float, fds: tuple[int, ...] = ()) -> None:
        """A message to the supervisor; its end is noticed where it is read."""
        with contextlib.suppress(OSError):
            self._supervisor.send(name, *fields, fds=fds)

    def forked(self) -> None:
        """A zygote has answered: children that were unknown may be looked at again."""
        self._look_after_orphans()

    def start_fresh(self, order: StartOrder, request: ForkRequest) -> None:
        """A worker from an interpreter of its own, which is started as its zygote was."""
        *streams, sock = request.fds
        ours, theirs = socket.socketpair()
        letter = FrameSocket(ours)
        again = order.again(request.id, request.marker, request.stopped_limit_s, tuple(streams))
        try:
            letter.send("become", request.payload, fds=(sock,))  # it fits, and lies there until it is read
            tree = self._spawn(again, theirs)
        except OSError as exc:
            self.tell("failed", request.id, str(exc))
            return
        finally:
            theirs.close()
            letter.close()
            request.close()
        if request.is_doomed:
            tree.kill()

    # what the supervisor asks

    def _start(self, frame: Frame) -> None:
        order = StartOrder.of(frame)
        try:
            self._spawn(order)
        except OSError as exc:
            self.tell("failed", order.id, str(exc))
        finally:
            order.close()

    def _spawn(self, order: StartOrder, control: socket.socket | None = None) -> Tree:
        """control: inherited under its number here, which is appended to argv with this pid and the marker."""
        argv = list(order.argv)
        null = os.open(os.devnull, os.O_RDWR)
        try:
            fds = [(0, null), *order.fds]
            if control is not None:
                fds.append((control.fileno(), control.fileno()))
                argv += (b"%d" % control.fileno(), b"%d" % self.pid, order.marker)
            pid = self.spawner.spawn(argv, order.env, order.cwd, fds)
        finally:
            os.close(null)
        return self.began(order.id, pid, order.marker, order.stopped_limit_s)

    def _start_zygote(self, frame: Frame) -> None:
        order = StartOrder.of(frame)
        ours, theirs = socket.socketpair()
        try:
            tree = self._spawn(order, theirs)
            self._zygotes[tree.id] = ZygoteLink(order, tree, ours, self)
        except OSError as exc:
            ours.close()
            order.close()
            self.tell("failed", order.id, str(exc))
        finally:
            theirs.close()

    def _fork(self, frame: Frame) -> None:
        request = ForkRequest(frame)
        zygote = self._zygotes.get(int(frame.fields[1]))
        if zygote is None:
            request.close()
            self.tell("failed", request.id, "its zygote has ended")
            return
        zygote.fork(request)

    def _quota(self, frame: Frame) -> None:
        quota_bytes = int(frame.fields[1]) if frame.fields[1] else None
        self._tell_tree(frame, lambda tree: tree.memory.limit(quota_bytes, self.now_s()))

    def _kill(self, frame: Frame) -> None:
        if not any(zygote.doom(int(frame.fields[0])) for zygote in self._zygotes.values()):
            self._tell_tree(frame, Tree.kill)

    def _close(self, frame: Frame) -> None:
        self._marker = b""  # what was not started through here stays
        self._is_over = True

    def _tell_tree(self, frame: Frame, tell: Callable[[Tree], None]) -> None:
        tree = self._trees.get(int(frame.fields[0]))
        if tree is not None:  # else it has ended meanwhile
            tell(tree)

    # the loop

    def _open(self) -> None:
        is_subreaper = become_subreaper()
        woken, wakes = socket.socketpair()
        for end in (woken, wakes):
            end.setblocking(False)
        self._wakes = wakes
        signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _wake)
        self.watch(woken.fileno(), lambda: self._children_changed(woken))
        self.watch(self._supervisor.sock.fileno(), self._serve)
        self.watch(self._supervisor_pidfd, self._supervisor_ended)
        self.tell("ready", int(is_subreaper))

    def _timeout_s(self) -> float | None:
        due_s = min((due for due in (tree.due_s() for tree in self._trees.values()) if due is not None), default=None)
        return None if due_s is None else max(0.0, due_s - self.now_s())

    def _serve(self) -> None:
        try:
            frames = self._supervisor.receive()
        except (FrameError, OSError):
            frames = None
        if frames is None:
            self._is_over = True
            return
        for frame in frames:
            self._commands[frame.name](frame)

    def _supervisor_ended(self) -> None:
        self._is_over = True  # a child that it forked may hold the socket

    def _write(self) -> None:
        with contextlib.suppress(OSError):
            self._supervisor.flush()
        if self._is_writing != self._supervisor.is_flushed:
            return
        self._is_writing = not self._supervisor.is_flushed
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._is_writing else 0)
        self._selector.modify(self._supervisor.sock, events, self._serve)

    def _tell_memory(self) -> None:
        for tree in self._trees.values():
            if self._supervisor.is_flushed and tree.memory.has_news():
                self.tell("rss", tree.id, tree.memory.last_bytes, self.now_s())

    def _children_changed(self, woken: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            woken.recv(4096)
        with contextlib.suppress(ChildProcessError):
            while (info := os.waitid(os.P_ALL, 0, os.WSTOPPED | os.WCONTINUED | os.WNOHANG)) is not None:
                tree = self._roots.get(info.si_pid)
                if tree is not None:
                    tree.halted(by_signal=info.si_code == os.CLD_STOPPED)
        self._look_after_orphans()
        for tree in tuple(self._trees.values()):
            tree.child_ended()

    def _look_after_orphans(self) -> None:
        """What a zygote has just forked, and the warden does not know yet, looks like one: that waits."""
        if not any(zygote.is_forking for zygote in self._zygotes.values()):
            look_after_orphans(self.pid, self._trees.values(), self._zygotes)


def _wake(number: int, frame: object) -> None:
    """That a signal came is told through the descriptor."""
