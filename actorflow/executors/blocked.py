"""Blocked: names the attempt in this process that holds up the loop, or the whole interpreter, while it does.

Nothing is done to it: code that does not await, or does not let go of the interpreter, cannot be stopped from outside.
A warning stands in the log of the run, once for each attempt, where a person sees it and can mend the task.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Final, cast

from actorflow.runs.executor import AttemptSpec
from actorflow.runs.output_log import OutputLog
from actorflow.runs.task_call import call_async, call_sync
from actorflow.runs.task_context import TaskContext, context_of
from actorflow_supervisors.watchdog import LIMIT_S, LoopWatchdog

PULSE_S: Final = LIMIT_S / 2
"""How often a thread of ours looks whether it still gets its turn; nothing tells of an interpreter that is held."""

_CALLS: Final = {call_async.__code__, call_sync.__code__}


@dataclass(frozen=True, slots=True)
class Culprit:
    """An attempt at work. call: the code that calls its body. place: `etl.py:12 in parse`, with the innermost call."""

    attempt: AttemptSpec
    call: CodeType
    place: str


@contextmanager
def named_when_blocking(output: OutputLog | None, call: Callable[..., object], *, on_loop: bool) -> Generator[None]:
    """For executors: meanwhile an attempt called by `call` is named when it blocks. on_loop: the loop, too."""
    if output is None:
        yield
        return
    names = Names(output, call.__code__)
    pulse = _Pulse(names.interpreter_held)
    pulse.start()
    try:
        with LoopWatchdog(on_found=names.loop_blocked) if on_loop else nullcontext():
            yield
    finally:
        pulse.stop()


class Names:
    """Names each attempt once, if it was called by `call`. Told on the watching threads."""

    def __init__(self, output: OutputLog, call: CodeType) -> None:
        self._output = output
        self._call = call
        self._said: set[TaskContext] = set()
        self._lock = threading.Lock()

    def loop_blocked(self, frame: FrameType) -> None:
        self._say(culprit_at(frame), f"has held up the loop for more than {LIMIT_S * 1000:.0f} ms", "await there")

    def interpreter_held(self, held_s: float) -> None:
        """Told where one attempt only was at work; of several it cannot be said which."""
        found = [culprit for frame in sys._current_frames().values() if (culprit := culprit_at(frame)) is not None]
        if len(found) == 1:
            self._say(found[0], f"has let nothing else in this process run for {held_s:.2g} s", "do that elsewhere")

    def _say(self, culprit: Culprit | None, what: str, help: str) -> None:
        if culprit is None or culprit.call is not self._call:
            return
        context = context_of(culprit.attempt)
        with self._lock:
            if context in self._said:
                return
            self._said.add(context)
        attempt = culprit.attempt
        self._output.note(
            context,
            f"{attempt.label}, attempt {attempt.number}, {what}, at {culprit.place}; "
            f"{help}, or have the task run in a process",
        )


class _Pulse(threading.Thread):
    """Notices that it did not get its turn although this process was at work: somebody held the interpreter."""

    def __init__(self, held: Callable[[float], None]) -> None:
        super().__init__(name="actorflow pulse", daemon=True)
        self._held = held
        self._stopped = threading.Event()

    def run(self) -> None:
        began_s, used_s = time.monotonic(), time.process_time()
        while not self._stopped.wait(PULSE_S):
            late_s = time.monotonic() - began_s - PULSE_S
            # A machine that slept, or a process that was stopped, used no processor meanwhile.
            if late_s > LIMIT_S and time.process_time() - used_s > LIMIT_S:
                self._held(late_s)
            began_s, used_s = time.monotonic(), time.process_time()

    def stop(self) -> None:
        self._stopped.set()
        self.join()


def culprit_at(frame: FrameType) -> Culprit | None:
    """The attempt whose body stands in `frame`; None where it is no attempt's."""
    body: list[FrameType] = []
    outer: FrameType | None = frame
    while outer is not None:
        if outer.f_code in _CALLS:
            attempt = cast("AttemptSpec | None", outer.f_locals.get("attempt"))
            return None if attempt is None or not body else Culprit(attempt, outer.f_code, _place(body))
        body.append(outer)
        outer = outer.f_back
    return None


def _place(body: list[FrameType]) -> str:
    """The innermost line in the file of the task's function, and where that has called to."""
    file = body[-1].f_code.co_filename
    own = next(frame for frame in body if frame.f_code.co_filename == file)
    innermost = "" if body[0] is own else f" ({_line(body[0])})"
    return f"{_line(own)}{innermost}"


def _line(frame: FrameType) -> str:
    return f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno} in {frame.f_code.co_name}"
