"""Warden start: what a warden is told of a program that it is to start."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from actorflow_supervisors.warden_frames import Frame


class StartOrder:
    """A program to start.

    marker: `NAME=value`, added to env. cwd: b"" for the warden's. stopped_limit_s: see `Tree`. fds: number in the
    process and descriptor here, which belongs to this order.
    """

    __slots__ = ("_pairs", "argv", "cwd", "fds", "id", "marker", "stopped_limit_s")

    def __init__(
        self,
        id: int,
        marker: bytes,
        cwd: bytes,
        stopped_limit_s: float,
        argv: Sequence[bytes],
        pairs: Sequence[bytes],
        fds: Sequence[tuple[int, int]],
    ) -> None:
        self.id = id
        self.marker = marker
        self.cwd = cwd
        self.stopped_limit_s = stopped_limit_s
        self.argv = argv
        self._pairs = pairs
        self.fds = fds

    @classmethod
    def of(cls, frame: Frame) -> StartOrder:
        """Fields: id, marker, cwd, stopped limit, length of argv, argv, environment, numbers of the descriptors."""
        id, marker, cwd, stopped_limit_s, count, *rest = frame.fields
        argv, pairs, numbers = rest[: int(count)], rest[int(count) : -1], map(int, rest[-1].split())
        fds = list(zip(numbers, frame.fds, strict=True))
        return cls(int(id), marker, cwd, float(stopped_limit_s), argv, pairs, fds)

    def again(self, id: int, marker: bytes, stopped_limit_s: float, streams: tuple[int, ...]) -> StartOrder:
        """The same program once more. streams: its standard output and error; they stay the caller's."""
        fds = list(zip((1, 2), streams, strict=True))
        return StartOrder(id, marker, self.cwd, stopped_limit_s, self.argv, self._pairs, fds)

    @property
    def env(self) -> Mapping[bytes, bytes]:
        return dict(pair.split(b"=", 1) for pair in (*self._pairs, self.marker))

    def close(self) -> None:
        """Let go of the descriptors."""
        for _, fd in self.fds:
            os.close(fd)
        self.fds = ()
