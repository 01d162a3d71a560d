"""Standard error of a process: passed on to this process's own, its last lines kept."""

from __future__ import annotations

import contextlib
import os

import anyio

from actorflow_supervisors.crash_dump import telling_lines

KEPT_BYTES = 16 * 1024
KEPT_LINES = 20
_READ_BYTES = 1 << 16


class StderrTail:
    """Reads one end of a pipe; the process writes to the other, `write_fd`, which is closed here once it has it."""

    def __init__(self) -> None:
        self._read_fd, self.write_fd = os.pipe()
        os.set_blocking(self._read_fd, False)
        self._kept = b""
        self._is_at_end = False

    def given_away(self) -> None:
        """The process holds its end."""
        os.close(self.write_fd)
        self.write_fd = -1

    async def run(self) -> None:
        """Pass on, until every process that holds the other end has closed it."""
        while self.drain():
            await anyio.wait_readable(self._read_fd)

    def drain(self) -> bool:
        """Read what is there; False once nothing more can come."""
        while not self._is_at_end:
            try:
                data = os.read(self._read_fd, _READ_BYTES)
            except BlockingIOError:
                return True
            self._is_at_end = not data
            self._kept = (self._kept + data)[-KEPT_BYTES:]
            with contextlib.suppress(OSError):  # ours is closed, or its reader has gone
                os.write(2, data)
        return False

    @property
    def last_lines(self) -> str:
        lines = self._kept.decode(errors="replace").splitlines()
        return "\n".join(telling_lines(lines, KEPT_LINES))

    def close(self) -> None:
        os.close(self._read_fd)
        if self.write_fd >= 0:
            self.given_away()
