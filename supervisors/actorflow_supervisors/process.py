"""Process: what is known of a started child process, and what can be asked of it, whoever started it."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from typing import Protocol

from actorflow_supervisors.errors import SupervisorError


@dataclass(frozen=True, slots=True)
class ProcessExit:
    """How a process ended: with an exit code, or by a signal.

    peak_rss_bytes: of the process; None where it is not known to be its own, since a process inherits what its parent
    held, and a smaller peak hides behind that. cpu_s: of the process and of the children that it waited for. Neither is
    known on systems without `waitid`, and neither counts when two ends are compared.
    """

    exit_code: int | None = None
    signal: int | None = None
    peak_rss_bytes: int | None = field(default=None, compare=False)
    cpu_s: float | None = field(default=None, compare=False)

    def __str__(self) -> str:
        """`exit code 3`, `signal 9 (SIGKILL)`."""
        if self.signal is None:
            return f"exit code {self.exit_code}"
        try:
            return f"signal {self.signal} ({signal.Signals(self.signal).name})"
        except ValueError:
            return f"signal {self.signal}"


@dataclass(frozen=True, slots=True)
class QuotaBreach:
    """A process tree was killed for its memory. limit_bytes: its quota. peak_bytes: the most that was seen."""

    limit_bytes: int
    peak_bytes: int


class Process(Protocol):
    """A started child process and everything that it starts.

    exit: how it ended, None until nothing of it is left. survivors: pids that SIGKILL did not end in time.
    last_rss_bytes: of its tree when it was last measured, 0 for never. breach: given when its memory is why it ended.
    was_stopped: it was killed because a signal held it stopped for too long.
    """

    @property
    def pid(self) -> int: ...
    @property
    def exit(self) -> ProcessExit | None: ...
    @property
    def survivors(self) -> tuple[int, ...]: ...
    @property
    def last_rss_bytes(self) -> int: ...
    @property
    def breach(self) -> QuotaBreach | None: ...
    @property
    def was_stopped(self) -> bool: ...

    def is_running(self) -> bool:
        """False once it has ended, also before `wait` has seen it."""
        ...

    def limit(self, quota_bytes: int | None, *, backstop: bool = True) -> None:
        """Kill its tree when that uses more than `quota_bytes`, from now on; None: whatever it uses.

        backstop: refuse the process itself more than 1.5 times as much, where the system can.
        """
        ...

    def peak_since(self, begin_s: float) -> int:
        """The most memory of its tree in samples since `begin_s` of the monotonic clock; 0 without one."""
        ...

    async def wait(self) -> ProcessExit:
        """Wait until the process has ended, and until everything it had started is killed and gone. Many may wait."""
        ...

    async def stop(self, grace_s: float) -> ProcessExit:
        """SIGTERM to the whole tree, `grace_s` seconds for it to end, SIGKILL to what is left, and wait as `wait` does.

        Cancelled, it kills at once, and leaves the waiting to another `wait` or `stop`.
        """
        ...

    def kill(self) -> None:
        """SIGKILL to the whole tree, now; `wait` then confirms."""
        ...


class ProcessStartFailed(SupervisorError):
    """The operating system did not start the process; its error is the cause."""
