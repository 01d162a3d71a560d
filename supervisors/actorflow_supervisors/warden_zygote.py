"""Warden zygote: the warden's side of an interpreter that has imported what workers need, and forks them.

Each fork that is asked for becomes one process: of the zygote where it can fork, else of a fresh interpreter that is
started as the zygote was and becomes the worker itself.

| zygote | a fork is asked for | it is ready | it cannot fork, or is gone |
|---|---|---|---|
| starting | waits | those that wait are forked | those that wait get fresh interpreters |
| warm | is forked | | those that were not answered get fresh interpreters |
| cold | gets a fresh interpreter | | |
"""

from __future__ import annotations

import contextlib
import os
import socket

from actorflow_supervisors.warden_frames import Frame, FrameError, FrameSocket

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing itself is not worth its import
    from actorflow_supervisors.warden_main import Warden
    from actorflow_supervisors.warden_start import StartOrder
    from actorflow_supervisors.warden_tree import Tree


class ForkRequest:
    """A worker that was asked for. fds: its standard output and error, and its socket."""

    __slots__ = ("fds", "id", "is_doomed", "marker", "payload", "stopped_limit_s")

    def __init__(self, frame: Frame) -> None:
        id, _, self.marker, stopped_limit_s, self.payload = frame.fields
        self.id = int(id)
        self.stopped_limit_s = float(stopped_limit_s)
        self.fds: tuple[int, ...] = tuple(frame.fds)
        self.is_doomed = False

    def close(self) -> None:
        for fd in self.fds:
            os.close(fd)
        self.fds = ()


class ZygoteLink:
    """One zygote. start: how it was started, for the fresh interpreters."""

    def __init__(self, start: StartOrder, tree: Tree, sock: socket.socket, warden: Warden) -> None:
        self.start = start
        self.id = tree.id
        self._pipe = FrameSocket(sock)
        self._warden = warden
        self._is_warm = False
        self._is_cold = False
        self._waiting: dict[int, ForkRequest] = {}
        self._flying: dict[int, ForkRequest] = {}
        warden.watch(sock.fileno(), self._readable)

    @property
    def is_forking(self) -> bool:
        """A child of the warden may be there that it has not been told of."""
        return bool(self._flying)

    def fork(self, request: ForkRequest) -> None:
        """Start a worker as soon as it can be."""
        if self._is_cold:
            self._warden.start_fresh(self.start, request)
        elif self._is_warm:
            self._ask(request)
        else:
            self._waiting[request.id] = request

    def doom(self, id: int) -> bool:
        """End a worker that is not there yet; False where it is not ours."""
        if id in self._waiting:
            self._warden.tell("failed", id, "it was ended before it had started")
            self._waiting.pop(id).close()
            return True
        if id in self._flying:
            self._flying[id].is_doomed = True
            return True
        return False

    def ended(self) -> None:
        """The zygote is gone."""
        self._become_cold("it has ended")
        self._pipe.close()
        self.start.close()

    def _ask(self, request: ForkRequest) -> None:
        self._flying[request.id] = request
        with contextlib.suppress(OSError):  # its end is about to be seen
            self._pipe.send("fork", request.id, request.marker, request.payload, fds=request.fds)

    def _readable(self) -> None:
        try:
            frames = self._pipe.receive()
        except (FrameError, OSError):
            frames = None
        if frames is None:
            self._warden.unwatch(self._pipe.sock.fileno())
            self._become_cold("it has ended")
            return
        for frame in frames:
            self._answered(frame)
        if frames:
            self._warden.forked()

    def _answered(self, frame: Frame) -> None:
        if frame.name == "ready":
            self._ready(frame.fields[0].decode())
            return
        request = self._flying.pop(int(frame.fields[0]))
        if frame.name != "forked":
            self._warden.start_fresh(self.start, request)
            return
        try:
            tree = self._warden.began(request.id, int(frame.fields[1]), request.marker, request.stopped_limit_s)
        except OSError as exc:
            self._warden.tell("failed", request.id, str(exc))
            return
        finally:
            request.close()
        if request.is_doomed:
            tree.kill()

    def _ready(self, why_not: str) -> None:
        if why_not:
            self._become_cold(why_not)
            return
        self._is_warm = True
        self._warden.tell("zygote", self.id, "")
        waiting, self._waiting = self._waiting, {}
        for request in waiting.values():
            self._ask(request)

    def _become_cold(self, why: str) -> None:
        if self._is_cold:
            return
        self._is_warm, self._is_cold = False, True
        self._warden.tell("zygote", self.id, why)
        left = (*self._flying.values(), *self._waiting.values())
        self._flying, self._waiting = {}, {}
        for request in left:
            self._warden.start_fresh(self.start, request)
