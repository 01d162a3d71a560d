"""Supervisor life: carries out, on the running loop, what a supervisor's state decides.

There is no supervisor task. A child that ends, a timer and a caller each tell the state in place, and what it answers
(spawn, cancel, set a timer) is done in place too, so nothing ever stands between a failure and its treatment.
"""

from __future__ import annotations

import contextvars
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TypeAlias, cast

import anyio

from actorflow_supervisors import instructions as do
from actorflow_supervisors.child_spec import ChildSpec
from actorflow_supervisors.errors import ChildProcessEnded, ChildStillRunning, IntensityExceeded, SupervisorError
from actorflow_supervisors.events import SupervisorEvent
from actorflow_supervisors.exit_reason import (
    INTENSITY,
    Crashed,
    ExitReason,
    InitFailed,
    Killed,
    NodeDown,
    NoProc,
    Normal,
    Shutdown,
    crashed,
    init_failed,
)
from actorflow_supervisors.loop import Home, Interrupt, Seam, Slot, Spawned, Timer, current_seam
from actorflow_supervisors.stop_bound import StopBound
from actorflow_supervisors.supervisor_state import Phase, SupervisorState
from actorflow_supervisors.watchdog import names_child

_Group: TypeAlias = BaseExceptionGroup[BaseException]
_EXIT_REASONS = (Normal, Shutdown, Crashed, Killed, NoProc, NodeDown, InitFailed)


class Gate:
    """Opens once; lets through all who wait for it."""

    __slots__ = ("_is_open", "_new_slot", "_slots")

    def __init__(self, new_slot: Callable[[], Slot]) -> None:
        self._new_slot = new_slot
        self._is_open = False
        self._slots: list[Slot] = []

    def open(self) -> None:
        self._is_open = True
        for slot in self._slots:
            if not slot.done():
                slot.set_result(None)
        self._slots.clear()

    async def wait(self) -> None:
        if not self._is_open:
            slot = self._new_slot()
            self._slots.append(slot)
            await slot


class Incarnation:
    """One run of one child, from its spawn until it has fully ended."""

    __slots__ = ("abandoned", "asked", "ended", "error", "grace", "number", "reason", "region", "spawned", "spec", "up")

    def __init__(self, spec: ChildSpec, number: int, region: Interrupt) -> None:
        self.spec = spec
        self.number = number
        self.region = region
        self.spawned: Spawned | None = None
        self.up = False
        self.asked = False
        self.abandoned = False
        self.ended = False
        self.grace: Timer | None = None
        self.reason: ExitReason | None = None
        self.error: BaseException | None = None


class Started:
    """What a child with `signals_started` is given: calling it says that the child has started.

    path: the child's place in the tree. emit: hands an event of a supervisor below on to this one's subscribers. bound:
    of the whole tree, for a supervisor below.
    """

    __slots__ = ("_mark", "bound", "emit", "path")

    def __init__(
        self, mark: Callable[[], None], path: str, emit: Callable[[SupervisorEvent], None], bound: StopBound
    ) -> None:
        self._mark = mark
        self.path = path
        self.emit = emit
        self.bound = bound

    def __call__(self) -> None:
        self._mark()


class Life:
    """One life of a supervisor on a loop.

    bound: of the whole tree. abandoned: ids whose abandoned incarnations still run, from this life and those before it.
    booted: opens when all declared children have started, or the supervisor has ended.
    over: opens when it has ended; `exit` says how.
    """

    def __init__(
        self,
        state: SupervisorState,
        *,
        emit: Callable[[SupervisorEvent], None],
        on_exit: Callable[[do.Exit], None],
        abandoned: set[str],
        bound: StopBound,
    ) -> None:
        self.seam: Seam = current_seam()
        self.state = state
        self.exit: do.Exit | None = None
        self.booted = Gate(self.seam.slot)
        self.over = Gate(self.seam.slot)
        self._emit = emit
        self._on_exit = on_exit
        self._abandoned = abandoned
        self.bound = bound
        self._forget = bound.on_kill(self._hurry)
        self._home = Home(self.seam)
        # Children inherit the context of whoever entered the supervisor, not of the sibling whose end started them.
        self._context = contextvars.copy_context()
        self._told: deque[do.Input] = deque()
        self._telling = False
        self._incarnations: dict[str, Incarnation] = {}
        self._timers: dict[int, Timer] = {}
        self._requests: dict[int, Slot] = {}
        self._last_request = 0

    def tell(self, told: do.Input) -> None:
        """Let the state decide on `told`, and do what it says. A tell from within comes after what is in progress."""
        self._told.append(told)
        if self._telling:
            return
        self._telling = True
        try:
            self._context.run(self._obey)
        finally:
            self._telling = False

    async def ask(self, request_of: Callable[[int], do.Input]) -> None:
        """Tell what `request_of` makes of a new request number; wait for the answer, and raise it if it is an error."""
        self._last_request += 1
        request = self._last_request
        slot = self._requests[request] = self.seam.slot()
        self.tell(request_of(request))
        try:
            error: SupervisorError | None = await slot
        except BaseException:
            del self._requests[request]
            self.tell(do.RequestDropped(request))
            raise
        del self._requests[request]
        if error is not None:
            raise error

    async def wind_up(self, *, hasty: bool = False) -> BaseException | None:
        """Wait until the supervisor has ended, cancelled or not; returns what came meanwhile to cancel or interrupt it.

        Shielded but for `hasty`; what gets through in spite of that, a second KeyboardInterrupt say, is a `kill`, after
        which only what abandons nobody is waited for. The children's graces bound the shield, and the tree's bound.
        """
        cancelled: BaseException | None = None
        with anyio.CancelScope(shield=not hasty) as scope:
            while self.exit is None:
                try:
                    await self.over.wait()
                except self.seam.cancelled as error:
                    cancelled = error
                except KeyboardInterrupt as error:
                    if isinstance(cancelled, KeyboardInterrupt):
                        raise
                    cancelled = error
                if cancelled is not None:
                    scope.shield = True
                    self.bound.kill(self.seam)
            await self._home.close()
        return cancelled

    def _hurry(self) -> None:
        """The bound is over: do not wait for children that are asked to end. Supervisors below are told themselves."""
        for incarnation in tuple(self._incarnations.values()):
            if incarnation.asked and not incarnation.abandoned and incarnation.spec.children is None:
                self._grace_over(incarnation)

    def _obey(self) -> None:
        while self._told:
            for instruction in self.state.handle(self._told.popleft(), self.seam.now_s()):
                self._carry_out(instruction)

    def _carry_out(self, instruction: do.Instruction) -> None:
        match instruction:
            case do.StartChild(spec=spec, incarnation=number):
                self._start(spec, number)
            case do.StopChild(child_id=child_id, grace_s=grace_s):
                self._stop(self._incarnations[child_id], grace_s)
            case do.SetTimer(timer=timer, at_s=at_s):
                self._timers[timer] = self.seam.call_at(at_s, self._timer_fired, timer)
            case do.CancelTimer(timer=timer):
                self._timers.pop(timer).cancel()
            case do.Emit(event=event):
                self._emit(event)
            case do.Answer(request=request, error=error):
                slot = self._requests.get(request)
                if slot is not None and not slot.done():
                    slot.set_result(error)
            case do.Booted():
                self.booted.open()
            case do.Exit():
                self._forget()
                self.exit = instruction
                self.booted.open()
                self.over.open()
                self._on_exit(instruction)

    def _timer_fired(self, timer: int) -> None:
        del self._timers[timer]
        self.tell(do.TimerFired(timer))

    # Children

    def _start(self, spec: ChildSpec, number: int) -> None:
        if spec.id in self._abandoned:
            # From an earlier life of this supervisor; two incarnations at once are worse than none.
            reason = init_failed(ChildStillRunning(spec.id, "abandoned and has not ended"))
            self.tell(do.ChildDown(spec.id, number, reason))
            return
        incarnation = self._incarnations[spec.id] = Incarnation(spec, number, self.seam.interrupt())
        incarnation.spawned = self._home.spawn(
            self._live,
            incarnation,
            name=f"{self.state.path}/{spec.id}#{number}",
            on_done=partial(self._task_ended, incarnation),
        )

    async def _live(self, incarnation: Incarnation) -> None:
        """The root of a child's task: whatever comes out of the child becomes an exit reason."""
        try:
            if not incarnation.asked:
                with incarnation.region:
                    incarnation.reason = await self._run(incarnation)
        except BaseException as error:  # noqa: BLE001 - the promise of this function
            incarnation.reason, incarnation.error = self._reason_of_error(incarnation, error)
        if incarnation.abandoned:
            self._ended(incarnation)

    async def _run(self, incarnation: Incarnation) -> ExitReason:
        spec, mark = incarnation.spec, partial(self._mark_up, incarnation)
        if spec.signals_started:
            result = await spec.run(Started(mark, f"{self.state.path}/{spec.id}", self._emit, self.bound))
        else:
            mark()
            result = await spec.run()
        return self._reason_of_return(incarnation, result)

    def _mark_up(self, incarnation: Incarnation) -> None:
        if not incarnation.up:
            incarnation.up = True
            self.tell(do.ChildUp(incarnation.spec.id, incarnation.number))

    def _stop(self, incarnation: Incarnation, grace_s: float | None) -> None:
        incarnation.asked = True
        incarnation.region.cancel()
        if self.state.phase is Phase.stopping:
            self.bound.begin(self.seam)
        if incarnation.spec.children is None:  # a supervisor goes by the same bound, so it ends in time by itself
            grace_s = self.bound.shrunk(grace_s, self.seam.now_s())
        if grace_s is not None:
            incarnation.grace = self.seam.call_at(self.seam.now_s() + grace_s, self._grace_over, incarnation)

    def _grace_over(self, incarnation: Incarnation) -> None:
        assert incarnation.spawned is not None
        if incarnation.ended or incarnation.spawned.done():
            return
        incarnation.abandoned = True
        self._abandoned.add(incarnation.spec.id)
        incarnation.region.abandon()
        self._home.abandon(incarnation.spawned)
        self.tell(do.ChildStuck(incarnation.spec.id, incarnation.number))

    def _task_ended(self, incarnation: Incarnation) -> None:
        if not incarnation.abandoned:
            self._ended(incarnation)

    def _ended(self, incarnation: Incarnation) -> None:
        incarnation.ended = True
        if incarnation.grace is not None:
            incarnation.grace.cancel()
        if incarnation.abandoned:
            self._abandoned.discard(incarnation.spec.id)
        # Without a reason it was cancelled, as it was asked to be.
        reason = incarnation.reason or Shutdown()
        self.tell(do.ChildDown(incarnation.spec.id, incarnation.number, reason, incarnation.error))

    # Exit reasons

    def _reason_of_return(self, incarnation: Incarnation, result: object) -> ExitReason:
        if isinstance(result, _EXIT_REASONS):
            return result
        if incarnation.asked:
            return Shutdown()
        if not incarnation.up:
            return init_failed(RuntimeError(f"child {incarnation.spec.id!r} returned before it called started()"))
        return Normal()

    def _reason_of_error(
        self, incarnation: Incarnation, error: BaseException
    ) -> tuple[ExitReason, BaseException | None]:
        error = leaf_of(error, self.seam.cancelled)
        if isinstance(error, self.seam.cancelled) and incarnation.asked:
            return Shutdown(), None
        if isinstance(error, IntensityExceeded):
            return Shutdown(INTENSITY), error
        if isinstance(error, ChildProcessEnded):
            return error.exit_reason, error
        if incarnation.up or isinstance(error, KeyboardInterrupt):
            return crashed(error), None
        return init_failed(error), None


names_child(Life._live, lambda found: f"{found['self'].state.path}/{found['incarnation'].spec.id}")


def leaf_of(error: BaseException, cancelled: type[BaseException]) -> BaseException:
    """What `error` is about: of a group the interrupt in it, else the only error that is no cancellation.

    A nursery adds cancellations beside the error that caused them; a group of several errors stays a group.
    """
    if not isinstance(error, BaseExceptionGroup):
        return error
    leaves = _leaves(cast(_Group, error))
    for leaf in leaves:
        if isinstance(leaf, KeyboardInterrupt):
            return leaf
    errors = [leaf for leaf in leaves if not isinstance(leaf, cancelled)]
    if not errors:
        return leaves[0]
    return errors[0] if len(errors) == 1 else cast(_Group, error)


def _leaves(error: BaseException) -> list[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for inner in cast(_Group, error).exceptions for leaf in _leaves(inner)]
