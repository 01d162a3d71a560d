"""Subprocess child: a child whose code runs in a process of its own, supervised like any other.

```python
Supervisor([ChildSpec(id="ingest", run=ingest.run, placement=Subprocess(quota_bytes=1 << 30))])
```

`run` is an async function that the process can import, or a `functools.partial` of one with plain arguments. The
process has a loop of the same kind, and runs it there. What ends the child:

| in the process                       | exit reason                                             |
|--------------------------------------|---------------------------------------------------------|
| it returns                           | Normal                                                  |
| it raises                            | Crashed, with a `ChildProcessFailed`                    |
| the process ends, by a signal or exit | Killed("signal"), with which                           |
| its tree exceeds its quota           | Killed("memory"), with limit and peak                   |
| it is asked to stop                  | Shutdown: SIGTERM cancels it there, SIGKILL comes before its grace is over |
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import anyio

from actorflow_supervisors.errors import ChildProcessEnded, ChildProcessFailed, InvalidChildSpec
from actorflow_supervisors.exit_reason import Killed
from actorflow_supervisors.importable import NoName, name_of
from actorflow_supervisors.loop import current_seam
from actorflow_supervisors.process import Process
from actorflow_supervisors.warden import shared_warden

_BOOT = (
    "import os, sys; sys.path[:] = os.environ.pop('ACTORFLOW_PATH').split('\\n'); "
    "from actorflow_supervisors.subprocess_main import main; main()"
)
_READ_BYTES = 1 << 16
MAX_GRACE_S = 3600.0
"""In place of a grace without end: a process that ignores SIGTERM for an hour is not coming back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subprocess:
    """The placement that gives a child a process of its own. quota_bytes: of memory, for it and all it starts."""

    quota_bytes: int | None = None

    def __post_init__(self) -> None:
        if self.quota_bytes is not None and not is_count(self.quota_bytes):
            raise ValueError(
                f"quota_bytes is a whole number of 1 or more, such as 256 << 20, or None, not {self.quota_bytes!r}"
            )

    def placed(
        self, run: Callable[..., Awaitable[Any]], shutdown_s: float | None, *, signals_started: bool
    ) -> Callable[..., Awaitable[Any]]:
        """What a supervisor runs here in place of `run`. Raises InvalidChildSpec where no process could find that."""
        return partial(_run_there, _target(run), self.quota_bytes, shutdown_s, signals_started)


def is_count(value: object) -> bool:
    """True for a whole number of 1 or more; whoever checks no types may have given anything."""
    return isinstance(value, int) and value >= 1


@dataclass(frozen=True, slots=True)
class _Target:
    name: str
    arguments: str


def _target(run: Callable[..., Awaitable[Any]]) -> _Target:
    made = cast("Any", run) if isinstance(run, partial) else partial(run)
    try:
        name = name_of(made.func)
        return _Target(str(name), json.dumps([made.args, made.keywords], allow_nan=False))
    except NoName as refusal:
        raise InvalidChildSpec(f"{refusal.what} cannot run in a process: {refusal.why}; {refusal.help}") from None
    except (TypeError, ValueError) as error:
        raise InvalidChildSpec(
            f"the arguments of {made.func.__qualname__} cannot travel to a process: {error}; give text and numbers"
        ) from None


KILL_AFTER_SHARE = 0.8
"""Of the grace, before SIGKILL: within the rest the process is seen gone, so the child ends and is not abandoned."""


async def _run_there(
    target: _Target,
    quota_bytes: int | None,
    shutdown_s: float | None,
    signals_started: bool,
    started: Callable[[], None] | None = None,
) -> None:
    grace_s = MAX_GRACE_S if shutdown_s is None else shutdown_s * KILL_AFTER_SHARE
    loop = "trio" if current_seam().name == "trio" else "asyncio"
    news, news_there = os.pipe()
    argv = [sys.executable, "-P", "-X", "faulthandler", "-c", _BOOT, target.name, target.arguments, loop]
    argv += [str(news_there), str(os.getpid()), str(int(signals_started))]
    try:
        async with shared_warden() as warden:
            env = {**os.environ, "ACTORFLOW_PATH": "\n".join(sys.path)}
            process = await warden.start(argv, env=env, pass_fds=(news_there,), quota_bytes=quota_bytes)
            os.close(news_there)
            news_there = -1
            try:
                said = await _hear(news, started)
                await process.wait()
            finally:
                with anyio.CancelScope(shield=True):  # bounded: SIGTERM, the grace, SIGKILL
                    await process.stop(grace_s)
            _raise_its_end(process, said)
    finally:
        os.close(news)
        if news_there >= 0:
            os.close(news_there)


async def _hear(news: int, started: Callable[[], None] | None) -> dict[str, str] | None:
    """What it says until it says no more: that it has started, then how it ended."""
    os.set_blocking(news, False)
    data = b""
    while True:
        try:
            part = os.read(news, _READ_BYTES)
        except BlockingIOError:
            await anyio.wait_readable(news)
            continue
        if not part:
            return cast("dict[str, str]", json.loads(data)) if data else None
        data += part
        if data.startswith(b"\n"):
            data = data[1:]
            if started is not None:
                started()


def _raise_its_end(process: Process, said: dict[str, str] | None) -> None:
    ended = process.exit
    assert ended is not None
    if process.breach is not None:
        limit_bytes, peak_bytes = process.breach.limit_bytes, process.breach.peak_bytes
        detail = f"used {peak_bytes:,} bytes of memory, its quota is {limit_bytes:,}"
        raise ChildProcessEnded(Killed("memory", detail, signal=ended.signal, peak_rss_bytes=peak_bytes))
    if said is not None and "type" in said:
        raise ChildProcessFailed(said["type"], said["message"], said["traceback"])
    if said is None:
        raise ChildProcessEnded(
            Killed(
                "signal",
                f"process {process.pid} ended by {ended}",
                signal=ended.signal,
                exit_code=ended.exit_code,
                peak_rss_bytes=ended.peak_rss_bytes,
            )
        )
