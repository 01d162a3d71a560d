"""Journal news: an event for whoever follows a run's events from another process, through its control socket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import anyio

from actorflow.runs.journal import Journal

WAIT_S: Final = 5.0
"""An answer without news, so that the caller knows that somebody is still there."""


async def journal_news(journal: Journal, given: Mapping[str, object]) -> object:
    """Answer `{"synced": SEQ}` once events after `after` are on disk, or nothing has come for a while."""
    after = given.get("after")
    if isinstance(after, int):
        with anyio.move_on_after(WAIT_S):
            await journal.news(after)
    return {"synced": journal.synced_seq}
