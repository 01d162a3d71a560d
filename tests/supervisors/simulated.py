"""A shell without a loop: carries out a supervisor's instructions at once, on a clock that the test moves."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from random import Random

from actorflow_supervisors import instructions as do
from actorflow_supervisors.child_spec import ChildSpec
from actorflow_supervisors.errors import SupervisorError
from actorflow_supervisors.events import SupervisorEvent
from actorflow_supervisors.exit_reason import Crashed, ExitReason, InitFailed, Normal, Shutdown
from actorflow_supervisors.policy import RestartName
from actorflow_supervisors.supervisor_state import Phase, Rules, SupervisorState
from actorflow_supervisors.tree import ChildState


async def nothing() -> None:
    """What a simulated child runs."""


def spec(
    child_id: str, restart: RestartName = "permanent", *, significant: bool = False, shutdown_s: float | None = 5.0
) -> ChildSpec:
    return ChildSpec(id=child_id, run=nothing, restart=restart, significant=significant, shutdown_s=shutdown_s)


class Simulated:
    """One supervisor; children start and stop at once, unless the test says otherwise.

    log: what the supervisor did to its children, as `start a1`, `stop a1` (id and incarnation).
    slow_start, fail_start, slow_stop, hang: ids of children that behave so from now on.
    """

    def __init__(self, rules: Rules, children: Iterable[ChildSpec], *, rng: Random | None = None) -> None:
        self.state = SupervisorState(rules, children, rng or Random(1), path="root")
        self.now_s = 0.0
        self.log: list[str] = []
        self.events: list[SupervisorEvent] = []
        self.answers: dict[int, SupervisorError | None] = {}
        self.timers: dict[int, float] = {}
        self.alive: dict[str, int] = {}
        self.exit: do.Exit | None = None
        self.booted = False
        self.slow_start: set[str] = set()
        self.fail_start: set[str] = set()
        self.slow_stop: set[str] = set()
        self.hang: set[str] = set()
        self._told: deque[do.Input] = deque()
        self._telling = False
        self._last_request = 0

    # What the test does

    def begin(self) -> Simulated:
        self.tell(do.Begin())
        return self

    def tell(self, told: do.Input) -> None:
        self._told.append(told)
        if self._telling:
            return
        self._telling = True
        while self._told:
            for instruction in self.state.handle(self._told.popleft(), self.now_s):
                assert self.exit is None or isinstance(instruction, do.Emit | do.Answer), instruction
                self._carry_out(instruction)
        self._telling = False

    def up(self, child_id: str) -> None:
        self.tell(do.ChildUp(child_id, self.alive[child_id]))

    def end(self, child_id: str, reason: ExitReason | None = None, error: BaseException | None = None) -> None:
        self.tell(do.ChildDown(child_id, self.alive.pop(child_id), reason or Normal(), error))

    def crash(self, child_id: str, error: BaseException | None = None) -> None:
        self.end(child_id, Crashed(error or ValueError(child_id)))

    def stuck(self, child_id: str) -> None:
        self.tell(do.ChildStuck(child_id, self.alive[child_id]))

    def stop(self) -> None:
        self.tell(do.StopAsked())

    def advance(self, seconds: float) -> None:
        """Move the clock, firing timers in the order in which they are due."""
        until_s = self.now_s + seconds
        while due := sorted((at_s, timer) for timer, at_s in self.timers.items() if at_s <= until_s):
            self.now_s, timer = due[0]
            del self.timers[timer]
            self.tell(do.TimerFired(timer))
        self.now_s = until_s

    def ask_start(self, child: ChildSpec) -> int:
        request = self._request()
        self.tell(do.StartChildAsked(request, child))
        return request

    def ask_stop(self, child_id: str) -> int:
        request = self._request()
        self.tell(do.StopChildAsked(request, child_id))
        return request

    def ask_restart(self, child_id: str) -> int:
        request = self._request()
        self.tell(do.RestartChildAsked(request, child_id))
        return request

    def ask_delete(self, child_id: str) -> int:
        request = self._request()
        self.tell(do.DeleteChildAsked(request, child_id))
        return request

    def drop(self, request: int) -> None:
        self.tell(do.RequestDropped(request))

    # What the test sees

    def take_log(self) -> list[str]:
        log, self.log = self.log, []
        return log

    def states(self) -> dict[str, str]:
        """The state of each child, `running 2` for a running second incarnation."""
        return {
            child.id: f"{self.state.shown_state(child)} {child.incarnation}" for child in self.state.children.values()
        }

    def running(self) -> list[str]:
        return [child.id for child in self.state.children.values() if child.state is ChildState.running]

    @property
    def ended(self) -> bool:
        return self.state.phase is Phase.ended

    # What a shell does

    def _request(self) -> int:
        self._last_request += 1
        return self._last_request

    def _carry_out(self, instruction: do.Instruction) -> None:
        match instruction:
            case do.StartChild(spec=child, incarnation=incarnation):
                self._start(child.id, incarnation)
            case do.StopChild(child_id=child_id, incarnation=incarnation):
                self._stop(child_id, incarnation)
            case do.SetTimer(timer=timer, at_s=at_s):
                self.timers[timer] = at_s
            case do.CancelTimer(timer=timer):
                del self.timers[timer]
            case do.Emit(event=event):
                self.events.append(event)
            case do.Answer(request=request, error=error):
                assert request not in self.answers, "a request is answered once"
                self.answers[request] = error
            case do.Booted():
                self.booted = True
            case do.Exit():
                assert not self.timers, "a supervisor that ends leaves no timer"
                self.exit = instruction

    def _start(self, child_id: str, incarnation: int) -> None:
        assert child_id not in self.alive, f"{child_id} {incarnation} was started while its old incarnation was alive"
        self.log.append(f"start {child_id}{incarnation}")
        self.alive[child_id] = incarnation
        if child_id in self.fail_start:
            self._told.append(do.ChildDown(child_id, self.alive.pop(child_id), InitFailed(ValueError(child_id))))
        elif child_id not in self.slow_start:
            self._told.append(do.ChildUp(child_id, incarnation))

    def _stop(self, child_id: str, incarnation: int) -> None:
        assert self.alive[child_id] == incarnation
        self.log.append(f"stop {child_id}{incarnation}")
        if child_id in self.hang:
            self._told.append(do.ChildStuck(child_id, incarnation))
        elif child_id not in self.slow_stop:
            self._told.append(do.ChildDown(child_id, self.alive.pop(child_id), Shutdown()))
