"""Warden spawn: start a program from the warden's main thread, which lives as long as any child of it may.

Between fork and exec the child gets a session of its own, is armed to die with the warden, and gets its descriptors.
Nothing else crosses: every descriptor of the warden's is closed by exec, and what the warden ignores is not ignored.
"""

from __future__ import annotations

import fcntl
import os
import resource
import signal
from collections.abc import Callable, Mapping, Sequence

from actorflow_supervisors.prctl import parent_death_signal

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing itself is not worth its import
    from typing import NoReturn

IGNORED = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGTSTP,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGALRM,
)
"""What a warden ignores: its supervisor decides about them, and its end is the end of the warden."""

_RESTORED = (*IGNORED, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ)


class Spawner:
    """Starts programs as children of this process.

    before_arming: called in the child before it is armed; a test pauses it there.
    """

    before_arming: Callable[[], None] | None = None

    def __init__(self) -> None:
        self.arm = parent_death_signal()
        self._pid = os.getpid()
        self._files = resource.getrlimit(resource.RLIMIT_NOFILE)
        hard = self._files[1]
        if hard != resource.RLIM_INFINITY:  # each child costs a descriptor or two
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    def spawn(
        self, argv: Sequence[bytes], env: Mapping[bytes, bytes], cwd: bytes, fds: Sequence[tuple[int, int]]
    ) -> int:
        """Its pid, once the program runs. fds: (number in the child, descriptor here). Raises OSError."""
        told, tells = os.pipe()
        try:
            pid = os.fork()
            if pid == 0:
                self._become(argv, env, cwd, fds, tells)
            os.close(tells)
            tells = -1
            problem = os.read(told, 16)
        finally:
            os.close(told)
            if tells >= 0:
                os.close(tells)
        if problem:
            os.waitpid(pid, 0)
            number = int(problem)
            raise OSError(number, os.strerror(number))
        return pid

    def _become(
        self,
        argv: Sequence[bytes],
        env: Mapping[bytes, bytes],
        cwd: bytes,
        fds: Sequence[tuple[int, int]],
        tells: int,
    ) -> NoReturn:
        try:
            os.setsid()
            if self.before_arming is not None:
                self.before_arming()
            self.arm()
            if os.getppid() != self._pid:  # it ended before the signal was armed
                os._exit(1)
            for number in _RESTORED:
                signal.signal(number, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_NOFILE, self._files)
            tells = place(fds, tells)
            if cwd:
                os.chdir(cwd)
            os.execvpe(argv[0], list(argv), env)
        except OSError as exc:
            os.write(tells, str(exc.errno).encode())
        finally:
            os._exit(127)


def place(fds: Sequence[tuple[int, int]], kept: int = -1) -> int:
    """Give descriptors their numbers, (number, descriptor now), to be inherited. `kept` is moved out of their way.

    Returns the number that `kept` then has.
    """
    above = max((number for number, _ in fds), default=2) + 1
    moved = [(number, fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, above)) for number, fd in fds]
    if kept >= 0:
        kept = fcntl.fcntl(kept, fcntl.F_DUPFD_CLOEXEC, above)
    for number, fd in moved:
        os.dup2(fd, number, inheritable=True)
        os.close(fd)
    return kept
