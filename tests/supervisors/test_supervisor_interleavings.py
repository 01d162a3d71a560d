"""One supervisor, everything in any order: slow starts and stops, requests, timers, a stop at any moment."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from actorflow_supervisors import instructions as do
from actorflow_supervisors.backoff import Backoff
from actorflow_supervisors.child_spec import AutoShutdown
from actorflow_supervisors.exit_reason import Crashed, ExitReason, Normal, Shutdown
from actorflow_supervisors.intensity import RestartIntensity
from actorflow_supervisors.policy import RestartName
from actorflow_supervisors.strategy import Strategy
from actorflow_supervisors.supervisor_state import Phase, Rules
from actorflow_supervisors.tree import ChildState
from tests.supervisors.simulated import Simulated, spec

NAMES = [*"abcdef"]
RESTARTS: list[RestartName] = ["permanent", "transient", "temporary"]


class Watched(Simulated):
    """Sees to it that a supervisor that stops does so in reverse order, one child at a time."""

    def _carry_out(self, instruction: do.Instruction) -> None:
        if self.state.phase is Phase.stopping:
            assert not isinstance(instruction, do.StartChild), "nothing starts once the stop has begun"
            if isinstance(instruction, do.StopChild):
                order = list(self.state.children)
                later = order[order.index(instruction.child_id) + 1 :]
                assert not any(self.state.children[name].alive for name in later), "children stop in reverse order"
        super()._carry_out(instruction)


class AnyOrder(RuleBasedStateMachine):
    """`Simulated` itself asserts: no incarnation beside another, one answer to a request, no timer left at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.it: Watched
        self.asked: list[int] = []
        self.dropped: set[int] = set()

    @initialize(
        strategy=st.sampled_from(list(Strategy)),
        auto_shutdown=st.sampled_from(list(AutoShutdown)),
        restarts=st.lists(st.sampled_from(RESTARTS), min_size=1, max_size=4),
        waits=st.booleans(),
        most=st.sampled_from([0, 3, 1000]),
    )
    def begin(
        self, strategy: Strategy, auto_shutdown: AutoShutdown, restarts: list[RestartName], waits: bool, most: int
    ) -> None:
        backoff = Backoff(base_s=1.0, jitter=0.0, immediate_first=False) if waits else None
        rules = Rules(strategy=strategy, auto_shutdown=auto_shutdown, intensity=RestartIntensity(most), backoff=backoff)
        ends_itself = auto_shutdown is not AutoShutdown.never
        children = [
            spec(name, restart, significant=ends_itself and restart != "permanent")
            for name, restart in zip(NAMES, restarts, strict=False)
        ]
        self.it = Watched(rules, children)
        self.it.slow_start = self.it.slow_stop = set(NAMES)
        self.it.begin()

    @rule(which=st.integers(0, 9))
    def a_child_comes_up(self, which: int) -> None:
        if starting := self.alive_in(ChildState.starting):
            self.it.up(starting[which % len(starting)])

    @rule(which=st.integers(0, 9), reason=st.sampled_from([Normal(), Shutdown(), Crashed(ValueError())]))
    def a_child_ends(self, which: int, reason: ExitReason) -> None:
        if alive := sorted(self.it.alive):
            self.it.end(alive[which % len(alive)], reason)

    @rule(which=st.integers(0, 9))
    def a_child_outlives_its_grace(self, which: int) -> None:
        if stopping := self.alive_in(ChildState.stopping):
            self.it.stuck(stopping[which % len(stopping)])

    @rule(seconds=st.sampled_from([0.5, 1.0, 6.0]))
    def time_passes(self, seconds: float) -> None:
        self.it.advance(seconds)

    @rule(name=st.sampled_from(NAMES), restart=st.sampled_from(RESTARTS))
    def a_start_is_asked_for(self, name: str, restart: RestartName) -> None:
        self.asked.append(self.it.ask_start(spec(name, restart)))

    @rule(name=st.sampled_from(NAMES))
    def a_stop_of_a_child_is_asked_for(self, name: str) -> None:
        self.asked.append(self.it.ask_stop(name))

    @rule(name=st.sampled_from(NAMES))
    def a_restart_is_asked_for(self, name: str) -> None:
        self.asked.append(self.it.ask_restart(name))

    @rule(name=st.sampled_from(NAMES))
    def a_deletion_is_asked_for(self, name: str) -> None:
        self.asked.append(self.it.ask_delete(name))

    @rule(which=st.integers(0, 9))
    def a_caller_goes_away(self, which: int) -> None:
        waiting = [request for request in self.asked if request not in self.it.answers]
        if waiting:
            self.dropped.add(waiting[which % len(waiting)])
            self.it.drop(waiting[which % len(waiting)])

    @rule()
    def the_supervisor_is_asked_to_stop(self) -> None:
        self.it.stop()

    @invariant()
    def the_state_agrees_with_what_runs(self) -> None:
        if not self.it.ended:
            alive = {child.id for child in self.it.state.children.values() if child.alive}
            abandoned = {child.id for child in self.it.state.children.values() if child.state is ChildState.abandoned}
            assert alive | abandoned == set(self.it.alive)

    @invariant()
    def a_supervisor_with_nothing_to_wait_for_is_not_stuck(self) -> None:
        """If no child is starting or stopping and no timer runs, every caller has its answer."""
        busy = self.alive_in(ChildState.starting) or self.alive_in(ChildState.stopping) or self.it.timers
        if not busy:
            assert set(self.asked) <= set(self.it.answers) | self.dropped

    def teardown(self) -> None:
        """Whatever came before: a stop ends it, once every child has ended or was abandoned."""
        if not hasattr(self, "it"):
            return
        self.it.stop()
        for _ in range(len(self.it.alive) + 1):
            for name in self.alive_in(ChildState.stopping):
                self.it.end(name, Shutdown())
        assert self.it.ended
        assert set(self.asked) <= set(self.it.answers) | self.dropped

    def alive_in(self, state: ChildState) -> list[str]:
        return sorted(child.id for child in self.it.state.children.values() if child.state is state)


def test_no_order_of_events_breaks_a_supervisor() -> None:
    run_state_machine_as_test(
        AnyOrder, settings=settings(max_examples=100, stateful_step_count=40, deadline=None, database=None)
    )
