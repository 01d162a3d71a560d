"""Loop watchdog: notices that the event loop has stopped turning, and names the child that holds it up.

A daemon thread asks the loop for a sign of life again and again. Where none comes within the limit, it looks at the
stack of the loop's thread, finds the child whose code stands in it, and logs both at once, since a loop may be blocked
for ever. When the loop turns again it logs for how long it did not, and reports a `LoopBlocked` in the loop.

Nothing is done to the child: Python code that does not await cannot be stopped from outside. It is named and survived.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any, Self

from actorflow_supervisors.events import LoopBlocked
from actorflow_supervisors.loop import Seam, current_seam

LIMIT_S = 0.25
"""How long a loop may go without a turn. A heartbeat and a deadline are late by as much."""

JOIN_S = 1.0
"""How long `stop` waits for the thread, which is asleep or about to write a line of the log."""

logger = logging.getLogger("actorflow.supervisors")

Report = Callable[[LoopBlocked], object]
LabelOf = Callable[[Mapping[str, Any]], str]
"""From the local variables of a child's root frame to what the child is called."""

_LABELS: dict[CodeType, LabelOf] = {}


def names_child(root: Callable[..., object], label_of: LabelOf) -> None:
    """For supervisors: whatever stands above a frame of `root` on a stack is the code of the child it is called for."""
    _LABELS[root.__code__] = label_of


@dataclass(frozen=True, slots=True, kw_only=True)
class _Episode:
    """A loop that does not turn, as it was found. since_s: of the monotonic clock."""

    since_s: float
    child: str | None
    task: str | None
    stack: str


class LoopWatchdog:
    """Watches the loop that `start` was called in, until `stop`; `with LoopWatchdog(): ...` does both.

    limit_s: how long the loop may go without a turn. A block longer than `limit_s` and `every_s` together is always
    noticed, a shorter one than `limit_s` never. every_s: the pause between two signs of life; None: half the limit.
    on_blocked: told of each episode in the loop, once it is over. on_found: told on the watchdog's thread, as soon as
    it is noticed, with the frame that the loop's thread is in; what it tells stands in place of the log.

    Give it to a `Supervisor` or an `ActorSystem` to have it started and stopped with that one. One loop at a time.
    """

    def __init__(
        self,
        *,
        limit_s: float = LIMIT_S,
        every_s: float | None = None,
        on_blocked: Report | None = None,
        on_found: Callable[[FrameType], object] | None = None,
    ) -> None:
        if not limit_s > 0:
            raise ValueError(f"limit_s must be more than 0, not {limit_s!r}")
        self.limit_s = limit_s
        self.every_s = limit_s / 2 if every_s is None else every_s
        self.turns = 0
        """How many signs of life the loop has given."""
        self._on_blocked = on_blocked
        self._on_found = on_found
        self._thread: threading.Thread | None = None

    def start(self, path: str = "", report: Report | None = None) -> None:
        """Watch the running loop. path: of the supervisor, for the events. report: told besides `on_blocked`.

        Raises RuntimeError where it watches already, or where no loop runs.
        """
        if self._thread is not None:
            raise RuntimeError("this watchdog watches a loop already; make another one")
        self._seam: Seam = current_seam()
        self._path = path
        self._reports = [each for each in (self._on_blocked, report) if each is not None]
        self._lock = threading.Lock()
        self._turned = threading.Event()
        self._stopped = threading.Event()
        self._episode: _Episode | None = None
        self._thread = threading.Thread(
            target=self._watch, args=(threading.get_ident(),), name="actorflow-watchdog", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Watch no more; to be called in the loop. An episode that ends with this call is reported. Harmless again."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._stopped.set()
        self._turn()
        thread.join(JOIN_S)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # In the loop.

    def _turn(self) -> None:
        """The sign of life. The lock decides whether this turn or the report of its absence came first."""
        with self._lock:
            self._turned.set()
            self.turns += 1
            episode, self._episode = self._episode, None
        if episode is not None:
            self._over(episode)

    def _over(self, episode: _Episode) -> None:
        event = LoopBlocked(
            path=self._path,
            at_s=self._seam.now_s(),
            blocked_s=time.monotonic() - episode.since_s,
            child=episode.child,
            task=episode.task,
            stack=episode.stack,
        )
        if self._on_found is None:
            logger.warning("the loop turns again: it was blocked for %.3g s by %s", event.blocked_s, _culprit(episode))
        for report in self._reports:
            try:
                report(event)
            except Exception:
                logger.exception("a listener of the loop's watchdog failed on %r", event)

    # In the thread.

    def _watch(self, loop_thread: int) -> None:
        while not self._stopped.wait(self.every_s):
            since_s = time.monotonic()
            self._turned.clear()
            try:
                self._seam.call_from_anywhere(self._turn)
            except RuntimeError:  # the loop is over
                return
            if self._stopped.is_set() or self._answered():
                continue
            self._found(since_s, loop_thread)
            self._turned.wait()

    def _answered(self) -> bool:
        """Whether the loop turned in time. Two waits: a process that was suspended wakes up to one that is over."""
        return self._turned.wait(self.limit_s / 2) or self._turned.wait(self.limit_s / 2)

    def _found(self, since_s: float, loop_thread: int) -> None:
        frame = sys._current_frames().get(loop_thread)
        if frame is None:
            return
        child, stack = child_and_stack(frame)
        episode = _Episode(since_s=since_s, child=child, task=_task_of(self._seam, frame), stack=stack)
        with self._lock:
            if self._turned.is_set():
                return
            self._episode = episode
        if self._on_found is not None:
            try:
                self._on_found(frame)
            except Exception:
                logger.exception("who is told by the loop's watchdog failed on it")
            return
        del frame
        logger.warning(
            "the loop has not turned for %.3g s: %s is at work, and everything else waits\n%s",
            self.limit_s,
            _culprit(episode),
            stack,
        )


def child_and_stack(frame: FrameType) -> tuple[str | None, str]:
    """The child whose code runs in `frame`, and what it does, last call last; all of the stack where it is no child."""
    depth, below = 0, frame
    while below.f_code not in _LABELS:
        depth += 1
        if below.f_back is None:
            return None, _text(frame, None)
        below = below.f_back
    return _LABELS[below.f_code](below.f_locals), _text(frame, depth)


def _text(frame: FrameType, depth: int | None) -> str:
    """The innermost `depth` calls."""
    calls = list(traceback.walk_stack(frame))[:depth]
    summary = traceback.StackSummary.extract(iter(calls))
    summary.reverse()
    return "".join(summary.format()).rstrip()


def _task_of(seam: Seam, frame: FrameType) -> str | None:
    """The name of the task at work, where the loop tells it to another thread."""
    get_name = getattr(seam.current_task(), "get_name", None)
    if get_name is not None:
        return str(get_name())
    # trio keeps the task at work to its own thread, but its loop has it in a local variable.
    outer: FrameType | None = frame
    while outer is not None:
        if outer.f_code.co_name == "unrolled_run":
            return getattr(outer.f_locals.get("task"), "name", None)
        outer = outer.f_back
    return None


def _culprit(episode: _Episode) -> str:
    if episode.child is not None:
        return f"child {episode.child}"
    return "code outside any child" if episode.task is None else f"task {episode.task}"
