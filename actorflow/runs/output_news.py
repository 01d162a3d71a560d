"""Output news: an event for whoever follows a run's output from another process, through its control socket."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

import anyio

from actorflow.runs.output_log import OutputLog
from actorflow_supervisors.loop import current_seam

WAIT_S: Final = 5.0
"""An answer without news, so that the caller knows that somebody is still there."""


async def output_news(log: OutputLog, given: Mapping[str, object]) -> object:
    """Answer `{"written": N}` once more than `after` bytes were written, or nothing has come for a while."""
    after = given.get("after")
    more = anyio.Event()
    end = log.watch(partial(current_seam().call_from_anywhere, more.set))
    try:
        if not isinstance(after, int) or log.written_bytes <= after:
            with anyio.move_on_after(WAIT_S):
                await more.wait()
    finally:
        end()
    return {"written": log.written_bytes}
