"""Worker process: one child process and the socket to it, from its owner's side. It runs one attempt at a time."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping, Sequence

import anyio

from actorflow.runs.frame_socket import FrameSocket
from actorflow.runs.output_pipes import WorkerOutput
from actorflow.runs.task_context import TaskContext
from actorflow.runs.work import BrokenOff, Found, Work, WorkerLost
from actorflow.runs.worker_line import OwnerSide
from actorflow.runs.worker_protocol import (
    MAX_FRAME_BYTES,
    NotTheProtocol,
    Reply,
    Skipped,
    numbered,
    pack_go_on,
    pack_work,
    read_answer,
    read_ready,
)
from actorflow.runs.worker_words import last_words, why_ended
from actorflow_supervisors.loop import current_seam
from actorflow_supervisors.memory import mebibytes
from actorflow_supervisors.process import Process, ProcessExit
from actorflow_supervisors.shared_counts import SharedCounts

IDLE_GRACE_S = 2.0
"""Seconds an idle worker has to run its exit handlers, once its socket is closed, before it is asked by signal."""

ROOM_FOR_NUMBER = 16

AHEAD_S = 0.002
"""Requests are sent ahead for so much time, by what the last ones took: long ones one at a time."""

MAX_AHEAD = 15
"""The most requests that wait in a worker behind the one it is at."""

WEIGHT = 0.2
"""Of the last request, in what is typical."""

WHILE_IT_RAN = "while it ran the attempt"


class RequestTooLarge(Exception):
    """The arguments of an attempt are more than one request carries."""


class WorkerProcess:
    """A started worker process, and the line of requests that were sent to it and are not answered.

    name: for people. cpu_total_s: what it had used when it last answered. ready_rss_bytes: its peak before its first
    request. requests: how many it was sent; max_requests: how many it may be, None for any. began_s: when it was
    started, at_head_since_s: since when it is at the first request of its line, on the monotonic clock. asked_to_end:
    by its owner. end: has its actor end it. on_answers: called when something was answered; on_given_back: with work
    that did not run, and will not run here.
    """

    def __init__(
        self, name: str, process: Process, sock: socket.socket, counts: SharedCounts, output: WorkerOutput | None = None
    ) -> None:
        self.name = name
        self.process = process
        self.cpu_total_s = 0.0
        self.ready_rss_bytes = 0
        self.requests = 0
        self.began_s = self.at_head_since_s = time.monotonic()
        self.asked_to_end = False
        self.max_requests: int | None = None
        self.on_answers: Callable[[WorkerProcess], None] | None = None
        self.on_given_back: Callable[[list[Work]], None] | None = None
        self.end: Callable[[], object] | None = None
        self._is_ready = False
        self._line: dict[int, Work | None] = {}
        self._has_withdrawn = False
        self._typical_s: float | None = None
        self._socket = FrameSocket(sock, max_frame_bytes=MAX_FRAME_BYTES)
        self._side = OwnerSide(counts)
        self._output = output
        if output is not None:
            output.line = self._side

    def __str__(self) -> str:
        return f"worker {self.label}"

    @property
    def label(self) -> str:
        """`process-1 (pid 4711)`."""
        return f"{self.name} (pid {self.pid})"

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def is_busy(self) -> bool:
        """True while a request is not answered, and before it is ready for the first."""
        return bool(self._line) or not self._is_ready

    @property
    def room(self) -> int:
        """How many more requests may be sent ahead; few where they take long, so that none waits behind a long one."""
        if not self._is_ready or self._has_withdrawn or self.asked_to_end or self._socket.failure is not None:
            return 0
        left = self._ahead() - len(self._line)
        return left if self.max_requests is None else min(left, self.max_requests - self.requests)

    def _ahead(self) -> int:
        if self._typical_s is None:
            return 1
        return 1 + min(MAX_AHEAD, int(AHEAD_S / max(self._typical_s, 1e-6)))

    @property
    def behind(self) -> int:
        """How many requests wait behind the first of the line, and may be given back."""
        return 0 if self._has_withdrawn else max(0, len(self._line) - 1)

    def is_stuck(self, after_s: float) -> bool:
        """True if something waits behind a request that has been the first for so long."""
        return self.behind > 0 and time.monotonic() - self.at_head_since_s >= after_s

    async def wait_ready(self) -> None:
        """Wait for its first message; raises WorkerLost."""
        await self._socket.read_until(self._take)
        if not self._is_ready:
            exc = self._socket.failure or EOFError()
            raise await self.lost("while it started", exc) from exc

    async def serve(self) -> None:
        """Hear its answers, for as long as it lives or until cancelled. After that nothing in its line is answered."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._socket.write)
                await self._socket.read_until(self._take)
                tasks.cancel_scope.cancel()
        finally:
            self._break_off()

    async def execute(
        self, task: str, arguments: Mapping[str, bytes], context: TaskContext, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Have it run one attempt, alone; somebody must `serve`. Raises RequestTooLarge before anything is sent.

        Raises WorkerLost; after that, and when cancelled, it must be stopped, not used again.
        """
        work = Work(packed_work(task, arguments, context, headers), context, current_seam().slot())
        self.submit([work])
        found: Found = await work.found
        if isinstance(found, Reply):
            return found
        if isinstance(found, BrokenOff):
            raise await self.lost(WHILE_IT_RAN, found.error) from found.error
        raise found

    # The line.

    def submit(self, works: Sequence[Work]) -> None:
        """Send requests, which it runs in this order after those that it has."""
        if not self._line:
            self.at_head_since_s = time.monotonic()
        for work in works:
            self.requests += 1
            work.worker, work.number = self, self.requests
            self._line[self.requests] = work
            if self._output is not None:
                self._output.expect(self.requests, work.context)
            self._socket.queue(numbered(self.requests, work.packed))
        self._socket.flush()

    def cancel(self, work: Work) -> bool:
        """True if `work` does not run and never will; else this worker may be at it, and must be stopped.

        What was sent behind it is given back.
        """
        if self._line.get(work.number) is not work:
            return True
        begun = self._withdraw(work.number)
        return begun != work.number

    def give_back(self, count: int) -> None:
        """Have at most `count` requests from the end of the line not run here."""
        numbers = list(self._line)[1:]
        if numbers and not self._has_withdrawn:
            self._withdraw(numbers[-count:][0])

    def _withdraw(self, first: int) -> int:
        """Take requests back from `first` on; returns the one that was begun last."""
        begun = self._side.withdraw(first, self.requests, more=self._has_withdrawn)
        self._has_withdrawn = True
        given: list[Work] = []
        for number, work in self._line.items():
            if number >= first and number > begun and work is not None:
                self._line[number] = None
                given.append(work)
        self._hand_back(given)
        return begun

    def _hand_back(self, works: list[Work]) -> None:
        for work in works:
            work.worker = None
        wanted = [work for work in works if work.is_wanted]
        if wanted and self.on_given_back is not None:
            self.on_given_back(wanted)

    def _break_off(self) -> None:
        """Nobody hears it any more: what it was at is lost, what it had not begun is given back."""
        error = self._socket.failure = self._socket.failure or EOFError()
        if not isinstance(error, EOFError | OSError):
            self.process.kill()
        if self._line:
            self._withdraw(next(iter(self._line)))
        line, self._line = self._line, {}
        for work in line.values():
            if work is not None:
                work.settle(BrokenOff(self, error))

    def _answered(self, body: bytes | bytearray) -> None:
        if not self._is_ready:
            ready = read_ready(body)
            self.cpu_total_s, self.ready_rss_bytes, self._is_ready = ready.cpu_total_s, ready.peak_rss_bytes, True
            return
        number = next(iter(self._line), None)
        if number is None:
            raise NotTheProtocol("an answer, where nothing was asked")
        answer = read_answer(body, number)
        work = self._line.pop(number)
        if not self._line:
            self._has_withdrawn = False
        self.at_head_since_s = time.monotonic()
        if isinstance(answer, Skipped):
            self._end_of_output(number, has_printed=False)
            if work is not None:
                self._hand_back([work])
            return
        self._end_of_output(number, has_printed=answer.has_printed)
        if answer.has_printed:
            self._socket.queue(pack_go_on(number))
        typical_s = answer.took_s if self._typical_s is None else self._typical_s
        self._typical_s = typical_s + (answer.took_s - typical_s) * WEIGHT
        cpu_before_s, self.cpu_total_s = self.cpu_total_s, answer.cpu_total_s
        if work is not None:
            work.cpu_s = max(0.0, answer.cpu_total_s - cpu_before_s)
            work.settle(answer)

    def _take(self, bodies: list[bytes | bytearray]) -> bool:
        """What has come from it; True once it has become ready."""
        was_ready = self._is_ready
        for body in bodies:
            self._answered(body)
        if not was_ready:
            return self._is_ready
        if self.on_answers is not None:
            self.on_answers(self)
        if self._line:
            self._socket.flush()  # else what there is to say goes with the next request
        return False

    # Its end.

    def retire(self) -> None:
        """It has nothing to do, and gets nothing more: it is ended in good order, without anybody waiting."""
        self.asked_to_end = True
        if self.end is not None:
            self.end()

    async def wait(self) -> ProcessExit:
        """Wait until it has ended, with everything it started."""
        ended = await self.process.wait()
        self._socket.end()
        return ended

    async def stop(self, grace_s: float) -> ProcessExit:
        """End it with everything it started: an idle one by the end of its socket, a busy one by SIGTERM, then SIGKILL.

        Shield it: cancelled, it kills at once and does not wait. What it has not begun is given back.
        """
        self.asked_to_end = True
        if self._line:
            self._withdraw(next(iter(self._line)))  # one that survives SIGTERM finds nothing more to do
        self._socket.end()
        try:
            if not self.is_busy and grace_s > 0:
                with anyio.move_on_after(IDLE_GRACE_S):
                    await self.process.wait()
            return await self.process.stop(grace_s)
        finally:
            self.close()

    def close(self) -> None:
        self._socket.close()
        if self._output is not None:
            self._output.close()
        self._side.close()

    def _end_of_output(self, number: int, *, has_printed: bool) -> None:
        """What the attempt has written is attributed to it from here on."""
        if self._output is not None:
            self._output.end(number, has_printed=has_printed)

    async def lost(self, when: str, exc: Exception) -> WorkerLost:
        """It broke the conversation: wait for its end, or bring it about where it does not behave."""
        if not isinstance(exc, EOFError | OSError):
            self.process.kill()
        with anyio.move_on_after(IDLE_GRACE_S):
            await self.process.wait()
        ended = await self.process.stop(0)
        last = last_words(() if self._output is None else self._output.last_lines())
        if isinstance(exc, EOFError | OSError):
            return WorkerLost(f"{self} ended with {ended} {when}{why_ended(self.process, ended)}{last}", ended)
        return WorkerLost(f"{self} wrote what is no answer {when}, and was killed: {exc}{last}", ended)


def packed_work(
    task: str, arguments: Mapping[str, bytes], context: TaskContext, headers: Mapping[str, str] | None = None
) -> bytes:
    """A request for any worker. Raises RequestTooLarge."""
    packed = pack_work(task, arguments, context, headers)
    if len(packed) + ROOM_FOR_NUMBER > MAX_FRAME_BYTES:
        raise RequestTooLarge(
            f"the arguments of {task} are {mebibytes(len(packed))} when encoded, more than the "
            f"{mebibytes(MAX_FRAME_BYTES)} that one request carries; pass a path, or work on smaller pieces"
        )
    return packed
