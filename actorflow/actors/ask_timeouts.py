"""Ask timeouts: one timer for all asks whose caller set no deadline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actorflow.actors.envelope import Ask
from actorflow.actors.errors import AskTimeout

if TYPE_CHECKING:
    from actorflow_supervisors.loop import Seam, Timer


class AskTimeouts:
    """Fails each watched ask `timeout_s` seconds after it was sent, unless it is forgotten before.

    All wait equally long, so the oldest is always the next to expire, and one timer serves them all.
    """

    def __init__(self, seam: Seam, timeout_s: float) -> None:
        self._seam = seam
        self._timeout_s = timeout_s
        self._deadlines_s: dict[Ask, float] = {}
        self._timer: Timer | None = None

    def __len__(self) -> int:
        """How many asks are watched."""
        return len(self._deadlines_s)

    def watch(self, ask: Ask) -> None:
        deadline_s = self._seam.now_s() + self._timeout_s
        self._deadlines_s[ask] = deadline_s
        if self._timer is None:
            self._timer = self._seam.call_at(deadline_s, self._expire)

    def forget(self, ask: Ask) -> None:
        self._deadlines_s.pop(ask, None)

    def close(self) -> None:
        """Cancel the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self._timer = None
        now_s = self._seam.now_s()
        while self._deadlines_s:
            ask, deadline_s = next(iter(self._deadlines_s.items()))
            if deadline_s > now_s:
                self._timer = self._seam.call_at(deadline_s, self._expire)
                return
            del self._deadlines_s[ask]
            self._fail(ask)

    def _fail(self, ask: Ask) -> None:
        why = (
            f"the system's ask_timeout_s of {self._timeout_s:g} s is over; set a scope with anyio.fail_after to choose"
        )
        ask.fail(AskTimeout(ask.waiting_path(), ask.name, why))
        ask.target.asker_gone(ask)
