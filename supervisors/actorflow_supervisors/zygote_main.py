"""Zygote main: an interpreter that imports what workers need, once, and forks them for its warden.

`sys.argv`: "module:function" of what to call once, "module:function" of what each worker calls, arguments of the first,
then the descriptor of the socket, the pid of the warden and the marker of this process.

| from | message | fields; descriptors |
|---|---|---|
| zygote | ready | why it does not fork, "" where it does |
| warden | fork | id, marker, payload; standard output and error, socket |
| zygote | forked | id, pid |
| | failed | id |
| warden | become | payload; socket: this process is to be the worker itself |

A fork is a double one: the child in between ends at once, so the warden, a subreaper, becomes the parent of the worker,
reaps it, and its death is the one that the worker is armed against. One copy is forked ahead and waits; it belongs to
the zygote, by its session and its marker, until it is told which worker to be. Only what has one thread, no open file
and no child is forked: anything else could not live on in a copy.
"""

from __future__ import annotations

import atexit
import concurrent.futures.thread  # noqa: F401  # pyright: ignore[reportUnusedImport]  # its lock is free in a copy before hooks of what is preloaded want it
import contextlib
import gc
import importlib
import os
import select
import socket
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn, cast

from actorflow_supervisors.forkable import footprint, why_not_forked
from actorflow_supervisors.parent_death import die_with_parent
from actorflow_supervisors.prctl import parent_death_signal
from actorflow_supervisors.warden_frames import Frame, FrameSocket
from actorflow_supervisors.warden_spawn import place
from actorflow_supervisors.zygote_marker import Marker, find_marker

Entry = Callable[[socket.socket, bytes], object]
"""What a worker calls, with its socket and its payload. It ends the process when it returns."""

SOCKET_NUMBER = 3
"""Of a worker's socket."""


def main() -> NoReturn:
    """Until the warden closes the socket."""
    preload_name, entry_name, *arguments, descriptor, warden_pid, marker = sys.argv[1:]
    os.set_inheritable(int(descriptor), False)
    die_with_parent(int(warden_pid))
    pipe = FrameSocket(socket.socket(fileno=int(descriptor)))
    before = footprint()
    preload, entry = _resolved(preload_name), cast("Entry", _resolved(entry_name))
    preload(*arguments)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # what stays in a buffer would be written by every copy
            stream.flush()
    after = footprint()
    zygote = Zygote(pipe, int(warden_pid), entry, find_marker(os.fsencode(marker)))
    zygote.serve(
        why_not_forked(
            threads=after.threads,
            opened=sorted(after.descriptors - before.descriptors),
            children=after.children,
            can_mark=zygote.marker is not None,
        )
    )


class Standby:
    """A copy that waits to be told which worker to be."""

    def __init__(self, pid: bytes, pipe: FrameSocket) -> None:
        self.pid = pid
        self.pipe = pipe

    def is_there(self) -> bool:
        """False once it was killed: then its end of the socket is closed, and it says nothing otherwise."""
        poll = select.poll()
        poll.register(self.pipe.sock, select.POLLIN)
        return not poll.poll(0)


class Zygote:
    """Forks, or becomes, workers. marker: its own, None where copies cannot have others."""

    def __init__(self, pipe: FrameSocket, warden_pid: int, entry: Entry, marker: Marker | None) -> None:
        self.marker = marker
        self._pipe = pipe
        self._warden_pid = warden_pid
        self._entry = entry
        self._arm = parent_death_signal()
        self._standby: Standby | None = None

    def serve(self, why_not: str) -> NoReturn:
        """why_not: why it does not fork, "" where it does."""
        with contextlib.suppress(OSError):  # nobody listens to what is to become a worker itself
            self._pipe.send("ready", why_not)
        gc.collect()
        gc.freeze()  # a collection in a worker would touch, and so copy, what is shared
        poll = select.poll()
        poll.register(self._pipe.sock, select.POLLIN)
        while True:
            if not why_not and self._standby is None and not poll.poll(0):
                self._standby = self._prepared()
            poll.poll()
            frames = self._pipe.receive()
            if frames is None:
                os._exit(0)
            for frame in frames:
                if frame.name == "become":
                    self._pipe.close()
                    work(self._entry, frame.fds[0], frame.fields[0])
                self._fork(frame)

    def _fork(self, frame: Frame) -> None:
        """A worker: the copy that waits, or a new one. It goes on once the warden knows of it."""
        standby, self._standby = self._standby, None
        if standby is None or not standby.is_there():
            self._double_fork(lambda: self._worker(frame), lambda pid: self._tell(frame, pid))
        else:
            self._tell(frame, standby.pid)
            with contextlib.suppress(OSError):  # it was killed: its end is seen where it is watched
                standby.pipe.send("be", *frame.fields, fds=tuple(frame.fds))
        if standby is not None:
            standby.pipe.close()
        frame.close()

    def _tell(self, frame: Frame, pid: bytes) -> None:
        self._pipe.send("forked" if pid else "failed", frame.fields[0], pid)

    def _prepared(self) -> Standby | None:
        """Fork while nobody waits for it: two forks and the end of a process are most of a start."""
        ours, theirs = socket.socketpair()
        found: list[bytes] = []
        self._double_fork(lambda: self._stand_by(theirs, ours), found.append)
        theirs.close()
        if found[0]:
            return Standby(found[0], FrameSocket(ours))
        ours.close()
        return None

    def _stand_by(self, theirs: socket.socket, ours: socket.socket) -> NoReturn:
        """In the copy, until it is told what to be, or that there is nobody any more."""
        ours.close()
        self._arm()
        if os.getppid() != self._warden_pid:
            os._exit(1)
        pipe = FrameSocket(theirs)
        poll = select.poll()
        poll.register(theirs, select.POLLIN)
        while True:
            poll.poll()
            frames = pipe.receive()
            if frames is None:
                os._exit(0)
            for frame in frames:
                self._worker(frame)

    def _double_fork(self, run: Callable[[], NoReturn], told_of: Callable[[bytes], None]) -> None:
        """Fork a child of the warden, which runs `run` once `told_of` has heard its pid, b"" where there is none."""
        told, tells = os.pipe()
        waits, goes = os.pipe()
        pid = b""
        try:
            between = os.fork()
            if between == 0:
                self._between(run, tells, waits, goes)
            os.close(tells)
            os.waitpid(between, 0)
            pid = os.read(told, 16)
        except OSError:  # no more processes
            os.close(tells)
        told_of(pid)
        if pid:
            os.write(goes, b"g")
        for fd in (told, waits, goes):
            os.close(fd)

    def _between(self, run: Callable[[], NoReturn], tells: int, waits: int, goes: int) -> NoReturn:
        """In a child that ends at once, and in its child, the worker."""
        try:
            pid = os.fork()
            if pid:
                os.write(tells, b"%d" % pid)
                os._exit(0)
            os.close(goes)
            if os.read(waits, 1) == b"g":
                run()
        finally:
            os._exit(1)

    def _worker(self, frame: Frame) -> NoReturn:
        self._arm()
        if os.getppid() != self._warden_pid:
            os._exit(1)
        os.setsid()
        assert self.marker is not None, "without it nothing is forked"
        self.marker.rewrite(frame.fields[1])
        place(tuple(zip((1, 2, SOCKET_NUMBER), frame.fds, strict=True)))
        for name in os.listdir("/proc/self/fd"):
            if int(name) > SOCKET_NUMBER:
                with contextlib.suppress(OSError):  # of the listing
                    os.close(int(name))
        os.set_inheritable(SOCKET_NUMBER, False)
        reseed()
        work(self._entry, SOCKET_NUMBER, frame.fields[2])


def work(entry: Entry, descriptor: int, payload: bytes) -> NoReturn:
    """Be the worker, to the end of this process."""
    code: object = 0
    try:
        with socket.socket(fileno=descriptor) as sock:
            entry(sock, payload)
    except SystemExit as exc:
        code = exc.code
    except BaseException:  # noqa: BLE001 - the end of this process, whatever it was
        traceback.print_exc()
        code = 1
    with contextlib.suppress(BaseException):
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # it may have been closed or replaced
            stream.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))  # taking the interpreter apart costs more


def reseed() -> None:
    """Copies must not draw the same random numbers."""
    random, numpy_random = sys.modules.get("random"), sys.modules.get("numpy.random")
    for module in (random, numpy_random):
        if module is not None:
            module.seed()


def _resolved(name: str) -> Callable[..., object]:
    module, _, attribute = name.partition(":")
    return cast("Callable[..., object]", getattr(importlib.import_module(module), attribute))
