"""Subprocess main: the process of a supervised child. It runs one async function, and tells how that ended.

`sys.argv`: "module:qualname", its arguments as JSON, the kind of loop, the descriptor for news, the pid of whoever
starts it, and whether the function says itself that it has started.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, cast

import anyio
from anyio.abc import TaskStatus

from actorflow_supervisors.importable import Name, find
from actorflow_supervisors.parent_death import die_with_parent

Run = Callable[..., Awaitable[Any]]


def main() -> NoReturn:
    """Run it to its end; the exit code is 0 if it returned or was cancelled as asked."""
    target, arguments, loop, news, _, signals_started = sys.argv[1:]
    die_with_parent(os.getppid())
    os.set_inheritable(int(news), False)
    args, kwargs = json.loads(arguments)
    module, _, qualname = target.partition(":")
    try:
        run = cast("Run", find(Name(module, qualname)))
        given = [*args, lambda: os.write(int(news), b"\n")] if signals_started == "1" else args
        anyio.run(_until_asked, run, given, kwargs, backend=loop)
    except BaseException as error:  # noqa: BLE001 - whatever it was, it is told, and ends this process
        _tell(int(news), error)
        sys.exit(1)
    os.write(int(news), b"{}")
    sys.exit(0)


async def _until_asked(run: Run, args: list[Any], kwargs: dict[str, Any]) -> None:
    """Run it; SIGTERM and SIGINT cancel it."""
    async with anyio.create_task_group() as tasks:
        await tasks.start(_cancel_on_signal, tasks.cancel_scope)
        await run(*args, **kwargs)
        tasks.cancel_scope.cancel()


async def _cancel_on_signal(scope: anyio.CancelScope, *, task_status: TaskStatus[None]) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        async for _ in signals:
            scope.cancel()


def _tell(news: int, error: BaseException) -> None:
    group: Any = error
    while isinstance(group, BaseExceptionGroup) and len(cast("Any", group).exceptions) == 1:
        group = cast("Any", group).exceptions[0]
    error = cast("BaseException", group)
    kind: type[BaseException] = error.__class__
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    said = {"type": name, "message": str(error), "traceback": "".join(traceback.format_exception(error))}
    os.write(news, json.dumps(said).encode())
