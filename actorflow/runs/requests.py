"""Requests: what somebody outside may ask of a run that goes on, and when the run has done it.

| asked | done, and answered, once |
|---|---|
| cancel | it is on disk, and nothing of the run but its cleanups can start any more; what runs is being ended |
| pause | it is on disk, and nothing can start any more; what runs ends by itself, or with `now` is taken back |
| resume | it is on disk; what is ready has started |

The answer is `{"status": ...}`, the status of the run then; one that was over, or there already, stays as it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from actorflow.actors.errors import ActorNotRunning
from actorflow.actors.ref import ActorRef
from actorflow.runs.coordinator import Coordinator, Decided
from actorflow.runs.journal import Journal
from actorflow.runs.stage import Stage

MAX_REASON_CHARS = 200


class Requests:
    """Carries requests to the coordinator. coordinator: waits until there is one.

    kill_after: ends the run without grace after so many seconds."""

    def __init__(
        self,
        journal: Journal,
        coordinator: Callable[[], Awaitable[ActorRef[Coordinator]]],
        kill_after: Callable[[float], Awaitable[None]],
    ) -> None:
        self._journal = journal
        self._coordinator = coordinator
        self._kill_after = kill_after

    async def cancel(self, given: Mapping[str, object]) -> object:
        """reason: who asks. grace_s: what is left to the attempts; None: the run's own grace. 0 kills at once."""
        coordinator = await self._coordinator()
        answer = await self._hold(await coordinator.ask(Coordinator.cancel, _reason(given)))
        grace_s = given.get("grace_s")
        if isinstance(grace_s, int | float):
            await self._kill_after(max(0.0, float(grace_s)))
        return answer

    async def pause(self, given: Mapping[str, object]) -> object:
        """reason: who asks. now: take back what runs."""
        coordinator = await self._coordinator()
        return await self._hold(await coordinator.ask(Coordinator.pause, _reason(given), bool(given.get("now"))))

    async def resume(self, given: Mapping[str, object]) -> object:
        """reason: who asks."""
        coordinator = await self._coordinator()
        return await self._hold(await coordinator.ask(Coordinator.resume, _reason(given)))

    async def _hold(self, decided: Decided) -> object:
        await self._journal.synced(decided.seq)
        for stage in decided.stages:
            with suppress(ActorNotRunning):  # one that has ended starts nothing
                await stage.ask(Stage.settled)
        return {"status": decided.status.value}


def _reason(given: Mapping[str, object]) -> str:
    reason = given.get("reason")
    return reason[:MAX_REASON_CHARS] if isinstance(reason, str) and reason else "somebody at the control socket"
