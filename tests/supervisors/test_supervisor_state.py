"""What a supervisor decides, row by row, on a simulated shell: no loop, no clock but the test's."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from actorflow_supervisors.backoff import Backoff
from actorflow_supervisors.child_spec import AutoShutdown, ChildSpec
from actorflow_supervisors.errors import (
    ChildDidNotStop,
    ChildExists,
    ChildStartFailed,
    ChildStillRunning,
    IntensityExceeded,
    InvalidChildSpec,
    NoSuchChild,
    SupervisorError,
    SupervisorNotRunning,
)
from actorflow_supervisors.events import ChildAbandoned, ChildEnded, IntensityReached, RestartScheduled
from actorflow_supervisors.exit_reason import Crashed, ExitReason, InitFailed, Killed, NodeDown, Normal, Shutdown
from actorflow_supervisors.intensity import RestartIntensity
from actorflow_supervisors.policy import RestartName
from actorflow_supervisors.strategy import Strategy
from actorflow_supervisors.supervisor_state import Rules
from tests.supervisors.simulated import Simulated, nothing, spec

PLENTY = RestartIntensity(max_restarts=1000, max_seconds=1.0)
ABC = ("a", "b", "c")


def trio_of(strategy: Strategy, *, backoff: Backoff | None = None) -> Simulated:
    """A supervisor with the permanent children a, b, c, started."""
    rules = Rules(strategy=strategy, intensity=PLENTY, backoff=backoff)
    simulated = Simulated(rules, [spec(name) for name in ABC]).begin()
    simulated.take_log()
    return simulated


def one(
    restart: RestartName = "permanent", *, intensity: RestartIntensity = PLENTY, backoff: Backoff | None = None
) -> Simulated:
    """A supervisor with the child a, started."""
    simulated = Simulated(Rules(intensity=intensity, backoff=backoff), [spec("a", restart)]).begin()
    simulated.take_log()
    return simulated


def test_children_start_in_order_each_after_the_one_before_has_started() -> None:
    simulated = Simulated(Rules(), [spec(name) for name in ABC])
    simulated.slow_start = {"b"}

    simulated.begin()

    assert simulated.take_log() == ["start a1", "start b1"]
    assert not simulated.booted
    simulated.up("b")
    assert simulated.take_log() == ["start c1"]
    assert simulated.booted


def test_children_stop_in_reverse_order_each_after_the_one_after_it_has_ended() -> None:
    simulated = trio_of(Strategy.one_for_one)
    simulated.slow_stop = {"b"}

    simulated.stop()

    assert simulated.take_log() == ["stop c1", "stop b1"]
    assert not simulated.ended
    simulated.end("b", Shutdown())
    assert simulated.take_log() == ["stop a1"]
    assert simulated.exit is not None
    assert simulated.exit.reason == Shutdown()


@pytest.mark.parametrize(
    ("strategy", "log", "states"),
    [
        (Strategy.one_for_one, ["start b2"], {"a": "running 1", "b": "running 2", "c": "running 1"}),
        (
            Strategy.rest_for_one,
            ["stop c1", "start b2", "start c2"],
            {"a": "running 1", "b": "running 2", "c": "running 2"},
        ),
        (
            Strategy.one_for_all,
            ["stop c1", "stop a1", "start a2", "start b2", "start c2"],
            {"a": "running 2", "b": "running 2", "c": "running 2"},
        ),
    ],
)
def test_4_a_crash_restarts_the_group_of_the_strategy(
    strategy: Strategy, log: list[str], states: dict[str, str]
) -> None:
    simulated = trio_of(strategy)

    simulated.crash("b")

    assert simulated.take_log() == log
    assert simulated.states() == states


@pytest.mark.parametrize("strategy", [Strategy.rest_for_one, Strategy.one_for_all])
def test_4_a_temporary_sibling_is_stopped_with_its_group_and_not_restarted(strategy: Strategy) -> None:
    rules = Rules(strategy=strategy, backoff=None)
    simulated = Simulated(rules, [spec("a"), spec("b", "temporary"), spec("c")]).begin()
    simulated.take_log()

    simulated.crash("a")

    assert simulated.take_log() == ["stop c1", "stop b1", "start a2", "start c2"]
    assert list(simulated.states()) == ["a", "c"]


ENDS: list[ExitReason] = [
    Normal(),
    Shutdown(),
    Shutdown("intensity"),
    Crashed(ValueError()),
    Killed("memory"),
    NodeDown(),
]


@pytest.mark.parametrize(
    ("restart", "restarted"),
    [
        ("permanent", [True, True, True, True, True, True]),
        ("transient", [False, False, True, True, True, True]),
        ("temporary", [False, False, False, False, False, False]),
    ],
)
def test_5_each_restart_type_restarts_after_these_exits(restart: RestartName, restarted: list[bool]) -> None:
    after: list[bool] = []
    for reason in ENDS:
        simulated = one(restart)
        simulated.end("a", reason)
        after.append(simulated.take_log() == ["start a2"])

    assert after == restarted


def test_a_transient_child_that_is_done_keeps_its_place_and_a_temporary_one_is_forgotten() -> None:
    simulated = Simulated(Rules(), [spec("a", "transient"), spec("b", "temporary")]).begin()

    simulated.end("a")
    simulated.end("b")

    assert simulated.states() == {"a": "stopped 1"}


def test_3_a_fourth_crash_within_the_window_stops_all_in_reverse_order_and_ends_the_supervisor() -> None:
    simulated = Simulated(Rules(backoff=None), [spec(name) for name in ABC]).begin()
    for _ in range(3):
        simulated.advance(1.0)
        simulated.crash("b")
    simulated.take_log()
    last = ValueError("the last straw")

    simulated.advance(1.0)
    simulated.crash("b", last)

    assert simulated.take_log() == ["stop c1", "stop a1"]
    assert simulated.exit is not None
    assert simulated.exit.reason == Shutdown("intensity")
    error = simulated.exit.error
    assert isinstance(error, IntensityExceeded)
    assert (error.child_id, error.restarts, error.max_seconds) == ("b", 3, 5.0)
    assert error.__cause__ is last
    assert "child 'b' failed again after 3 restarts within 5 s" in str(error)
    assert "ValueError: the last straw" in str(error)
    assert [type(event) for event in simulated.events].count(IntensityReached) == 1


def test_3_crashes_5_01_seconds_apart_never_spend_the_budget() -> None:
    simulated = one(intensity=RestartIntensity(max_restarts=1, max_seconds=5.0))

    for _ in range(100):
        simulated.advance(5.01)
        simulated.crash("a")

    assert simulated.states() == {"a": "running 101"}


def test_a_group_restart_counts_once() -> None:
    simulated = Simulated(Rules(strategy=Strategy.one_for_all, backoff=None), [spec(name) for name in ABC]).begin()

    for _ in range(3):
        simulated.crash("a")

    assert simulated.running() == ["a", "b", "c"]


def test_a_child_with_a_budget_of_its_own_spends_no_siblings_budget() -> None:
    own = ChildSpec(id="own", run=nothing, intensity=RestartIntensity(max_restarts=10))
    simulated = Simulated(Rules(backoff=None), [own, spec("a")]).begin()

    for _ in range(10):
        simulated.crash("own")
    for _ in range(3):
        simulated.crash("a")

    assert simulated.states() == {"own": "running 11", "a": "running 4"}
    simulated.crash("own")
    assert simulated.exit is not None
    assert simulated.exit.reason == Shutdown("intensity")


# Backoff

SLOWLY = Backoff(base_s=1.0, factor=2.0, jitter=0.0, reset_after_s=60.0)


def test_the_first_restart_is_immediate_and_the_next_ones_wait_longer_each_time() -> None:
    simulated = one(intensity=PLENTY, backoff=SLOWLY)
    simulated.crash("a")
    assert simulated.states() == {"a": "running 2"}

    for wait_s in (1.0, 2.0, 4.0):
        simulated.crash("a")
        incarnation = simulated.states()["a"].split()[1]
        simulated.advance(wait_s - 0.001)
        assert simulated.states() == {"a": f"backoff {incarnation}"}
        simulated.advance(0.001)
        assert simulated.states() == {"a": f"running {int(incarnation) + 1}"}


def test_a_child_that_ran_for_the_reset_time_is_restarted_at_once_again() -> None:
    simulated = one(intensity=PLENTY, backoff=SLOWLY)
    simulated.crash("a")
    simulated.crash("a")
    simulated.advance(1.0)
    assert simulated.states() == {"a": "running 3"}

    simulated.advance(60.0)
    simulated.crash("a")

    assert simulated.states() == {"a": "running 4"}


def test_a_failed_restart_counts_against_the_budget_and_is_tried_again_later() -> None:
    simulated = one(intensity=RestartIntensity(max_restarts=2, max_seconds=100.0), backoff=SLOWLY)
    simulated.fail_start = {"a"}

    simulated.crash("a")

    assert simulated.states() == {"a": "backoff 2"}
    simulated.advance(1.0)
    assert simulated.exit is not None
    assert isinstance(simulated.exit.error, IntensityExceeded)
    assert isinstance(simulated.exit.error.last_exit, InitFailed)


def test_the_group_is_down_while_its_failed_member_waits() -> None:
    simulated = trio_of(Strategy.one_for_all, backoff=SLOWLY)
    simulated.crash("b")
    simulated.take_log()

    simulated.crash("b")

    assert simulated.take_log() == ["stop c2", "stop a2"]
    assert simulated.states() == {"a": "backoff 2", "b": "backoff 2", "c": "backoff 2"}
    simulated.advance(1.0)
    assert simulated.take_log() == ["start a3", "start b3", "start c3"]


def test_a_failure_during_backoff_widens_the_restart_instead_of_waiting_for_it() -> None:
    simulated = trio_of(Strategy.rest_for_one, backoff=SLOWLY)
    simulated.crash("c")
    simulated.crash("c")
    simulated.take_log()

    simulated.crash("a")

    assert simulated.take_log() == ["stop b1"]
    simulated.advance(1.0)
    assert simulated.take_log() == ["start a2", "start b2", "start c3"]


def test_under_one_for_one_a_child_in_backoff_holds_up_no_other() -> None:
    simulated = trio_of(Strategy.one_for_one, backoff=Backoff(base_s=3600, cap_s=3600, immediate_first=False))
    simulated.crash("a")
    simulated.take_log()

    started = simulated.ask_start(spec("d"))

    assert simulated.take_log() == ["start d1"]
    assert simulated.answers == {started: None}


def test_a_stop_gets_in_while_a_restart_waits_for_its_time() -> None:
    simulated = trio_of(Strategy.one_for_all, backoff=Backoff(base_s=3600, cap_s=3600, immediate_first=False))
    simulated.crash("b")
    simulated.take_log()

    simulated.stop()

    assert simulated.exit is not None
    assert simulated.take_log() == []


def test_a_stop_gets_in_while_a_child_is_starting_again() -> None:
    simulated = trio_of(Strategy.one_for_all)
    simulated.slow_start = {"b"}
    simulated.crash("b")
    simulated.take_log()

    simulated.stop()

    assert simulated.take_log() == ["stop b2", "stop a2"]
    assert simulated.exit is not None


def test_a_member_that_was_restarted_and_crashes_while_the_next_one_starts_restarts_the_group_anew() -> None:
    simulated = trio_of(Strategy.rest_for_one)
    simulated.slow_start = {"c"}
    simulated.crash("b")
    simulated.take_log()

    simulated.crash("b")

    assert simulated.take_log() == ["stop c2", "start b3", "start c3"]


def test_a_sibling_that_ends_by_itself_just_before_it_is_stopped_counts_as_stopped() -> None:
    simulated = trio_of(Strategy.one_for_all)
    simulated.slow_stop = {"c"}
    simulated.crash("b")

    simulated.crash("a")
    simulated.end("c", Shutdown())

    assert simulated.take_log() == ["stop c1", "start a2", "start b2", "start c2"]
    assert [type(event) for event in simulated.events].count(RestartScheduled) == 1


# Boot


def test_a_child_that_fails_to_start_unwinds_the_supervisors_start() -> None:
    simulated = Simulated(Rules(), [spec(name) for name in ABC])
    simulated.fail_start = {"c"}

    simulated.begin()

    assert simulated.take_log() == ["start a1", "start b1", "start c1", "stop b1", "stop a1"]
    assert simulated.exit is not None
    assert isinstance(simulated.exit.reason, InitFailed)
    assert isinstance(simulated.exit.error, ChildStartFailed)
    assert simulated.exit.error.child_id == "c"
    assert not simulated.booted


def test_a_child_that_crashes_while_a_later_one_starts_is_restarted_during_the_boot() -> None:
    simulated = Simulated(Rules(backoff=None), [spec("a"), spec("b")])
    simulated.slow_start = {"b"}
    simulated.begin()

    simulated.crash("a")
    simulated.up("b")

    assert simulated.take_log() == ["start a1", "start b1", "start a2"]
    assert simulated.booted


def test_under_one_for_all_a_crash_during_the_boot_starts_it_over() -> None:
    simulated = Simulated(Rules(strategy=Strategy.one_for_all, backoff=None), [spec("a"), spec("b")])
    simulated.slow_start = {"b"}
    simulated.begin()

    simulated.crash("a")
    simulated.up("b")

    assert simulated.take_log() == ["start a1", "start b1", "stop b1", "start a2", "start b2"]
    assert simulated.booted


# Abandoned children


def test_6_a_child_that_does_not_end_is_reported_and_its_siblings_still_stop_in_order() -> None:
    simulated = trio_of(Strategy.one_for_one)
    simulated.hang = {"b"}

    simulated.stop()

    assert simulated.take_log() == ["stop c1", "stop b1", "stop a1"]
    assert simulated.exit is not None
    abandoned = [event for event in simulated.events if isinstance(event, ChildAbandoned)]
    assert [(event.child_id, event.incarnation, event.grace_s) for event in abandoned] == [("b", 1, 5.0)]


def test_6_an_abandoned_child_is_started_again_only_once_its_old_incarnation_has_ended() -> None:
    simulated = trio_of(Strategy.one_for_all)
    simulated.hang = {"b"}

    simulated.crash("a")

    assert simulated.take_log() == ["stop c1", "stop b1", "start a2", "start c2"]
    assert simulated.states() == {"a": "running 2", "b": "abandoned 1", "c": "running 2"}
    simulated.end("b", Normal())
    assert simulated.take_log() == ["start b2"]
    assert simulated.states() == {"a": "running 2", "b": "running 2", "c": "running 2"}


def test_an_abandoned_child_that_ends_after_its_supervisor_is_still_reported() -> None:
    simulated = trio_of(Strategy.one_for_one)
    simulated.hang = {"b"}
    simulated.stop()

    simulated.end("b", Normal())

    last = simulated.events[-1]
    assert isinstance(last, ChildEnded)
    assert (last.child_id, last.asked) == ("b", True)
    assert simulated.take_log() == ["stop c1", "stop b1", "stop a1"]


def test_stopping_a_child_that_does_not_end_says_so() -> None:
    simulated = trio_of(Strategy.one_for_one)
    simulated.hang = {"b"}

    first = simulated.ask_stop("b")
    second = simulated.ask_stop("b")

    assert isinstance(simulated.answers[first], ChildDidNotStop)
    assert isinstance(simulated.answers[second], ChildDidNotStop)
    simulated.end("b")
    assert simulated.states()["b"] == "stopped 1"


def test_an_abandoned_child_that_was_stopped_by_request_is_not_started_when_it_ends() -> None:
    simulated = trio_of(Strategy.one_for_all)
    simulated.hang = {"b"}
    simulated.crash("a")

    simulated.ask_stop("b")
    simulated.end("b", Normal())

    assert simulated.states()["b"] == "stopped 1"


# Significant children


def significant(auto_shutdown: AutoShutdown, strategy: Strategy = Strategy.one_for_one) -> Simulated:
    rules = Rules(auto_shutdown=auto_shutdown, strategy=strategy, backoff=None)
    children = [spec("a"), spec("s", "transient", significant=True), spec("t", "temporary", significant=True)]
    return Simulated(rules, children).begin()


def test_24_any_significant_child_that_ends_by_itself_ends_the_supervisor() -> None:
    simulated = significant(AutoShutdown.any_significant)

    simulated.end("s")

    assert simulated.exit is not None
    assert simulated.exit.reason == Shutdown("auto_shutdown")
    assert simulated.exit.error is None
    assert simulated.take_log()[-2:] == ["stop t1", "stop a1"]


def test_24_all_significant_children_have_to_end_where_all_are_asked_for() -> None:
    simulated = significant(AutoShutdown.all_significant)

    simulated.crash("t")

    assert not simulated.ended
    simulated.end("s")
    assert simulated.exit is not None


def test_24_a_significant_child_that_waits_for_its_restart_has_not_ended() -> None:
    rules = Rules(
        auto_shutdown=AutoShutdown.all_significant,
        backoff=Backoff(base_s=60.0, cap_s=60.0, immediate_first=False, jitter=0.0),
    )
    children = [spec(name, "transient", significant=True) for name in ("s", "t")]
    simulated = Simulated(rules, children).begin()
    simulated.crash("s")

    simulated.end("t")

    assert not simulated.ended
    simulated.advance(60.0)
    assert simulated.running() == ["s"]


def test_24_a_significant_child_that_is_restarted_ends_nothing() -> None:
    simulated = significant(AutoShutdown.any_significant)

    simulated.crash("s")

    assert not simulated.ended
    assert simulated.states()["s"] == "running 2"


def test_24_a_manual_stop_of_a_significant_child_ends_nothing() -> None:
    simulated = significant(AutoShutdown.any_significant)

    simulated.ask_stop("s")
    simulated.ask_stop("t")

    assert not simulated.ended


def test_24_a_significant_child_stopped_for_its_sibling_ends_nothing() -> None:
    simulated = significant(AutoShutdown.any_significant, Strategy.one_for_all)

    simulated.crash("a")

    assert not simulated.ended
    assert simulated.states() == {"a": "running 2", "s": "running 2"}


def test_24_an_insignificant_child_that_ends_ends_nothing() -> None:
    rules = Rules(auto_shutdown=AutoShutdown.any_significant)
    simulated = Simulated(rules, [spec("a", "transient"), spec("s", "transient", significant=True)]).begin()

    simulated.end("a")

    assert not simulated.ended


def test_a_significant_child_that_is_done_during_the_boot_ends_the_supervisor_after_it() -> None:
    rules = Rules(auto_shutdown=AutoShutdown.any_significant)
    simulated = Simulated(rules, [spec("s", "transient", significant=True), spec("b")])
    simulated.slow_start = {"b"}
    simulated.begin()

    simulated.end("s")

    assert not simulated.ended
    simulated.up("b")
    assert simulated.booted
    assert simulated.exit is not None
    assert simulated.exit.reason == Shutdown("auto_shutdown")


def test_a_significant_child_under_a_supervisor_that_never_ends_itself_is_refused() -> None:
    with pytest.raises(InvalidChildSpec, match="set its auto_shutdown"):
        Simulated(Rules(), [spec("a", "transient", significant=True)])


def test_two_children_with_one_id_are_refused() -> None:
    with pytest.raises(ChildExists, match="'a'"):
        Simulated(Rules(), [spec("a"), spec("a")])


# Interrupts


@pytest.mark.parametrize("restart", ["permanent", "temporary"])
def test_an_interrupt_in_a_child_stops_everything_and_leaves_by_the_root(restart: RestartName) -> None:
    interrupt = KeyboardInterrupt()
    simulated = Simulated(Rules(), [spec("a"), spec("b", restart)]).begin()

    simulated.crash("b", interrupt)

    assert simulated.take_log()[-1] == "stop a1"
    assert simulated.exit is not None
    assert simulated.exit.error is interrupt


def test_an_interrupt_while_stopping_still_leaves_by_the_root() -> None:
    simulated = trio_of(Strategy.one_for_one)
    simulated.slow_stop = {"c"}
    simulated.stop()
    interrupt = KeyboardInterrupt()

    simulated.crash("c", interrupt)

    assert simulated.exit is not None
    assert simulated.exit.error is interrupt


# Requests


def test_a_started_child_comes_last_and_is_supervised() -> None:
    simulated = trio_of(Strategy.one_for_all)

    request = simulated.ask_start(spec("d"))
    simulated.crash("a")

    assert simulated.answers[request] is None
    assert simulated.take_log()[0] == "start d1"
    assert simulated.states()["d"] == "running 2"


def test_a_start_is_answered_only_when_the_child_has_started() -> None:
    simulated = trio_of(Strategy.one_for_one)
    simulated.slow_start = {"d"}

    request = simulated.ask_start(spec("d"))

    assert request not in simulated.answers
    simulated.up("d")
    assert simulated.answers == {request: None}


def test_a_start_that_fails_is_undone_and_not_tried_again() -> None:
    simulated = trio_of(Strategy.one_for_all)
    simulated.fail_start = {"d"}

    request = simulated.ask_start(spec("d"))

    error = simulated.answers[request]
    assert isinstance(error, ChildStartFailed)
    assert isinstance(error.__cause__, ValueError)
    assert list(simulated.states()) == ["a", "b", "c"]
    assert simulated.take_log() == ["start d1"]


def test_a_start_nobody_waits_for_any_more_is_undone() -> None:
    simulated = trio_of(Strategy.one_for_one)
    simulated.slow_start = {"d"}
    request = simulated.ask_start(spec("d"))

    simulated.drop(request)

    assert simulated.take_log() == ["start d1", "stop d1"]
    assert list(simulated.states()) == ["a", "b", "c"]
    assert simulated.answers == {}


def test_a_child_added_during_a_group_restart_starts_after_the_group() -> None:
    simulated = trio_of(Strategy.one_for_all)
    simulated.slow_start = {"a"}
    simulated.crash("b")
    simulated.take_log()

    request = simulated.ask_start(spec("d"))

    assert simulated.take_log() == []
    simulated.up("a")
    assert simulated.take_log() == ["start b2", "start c2", "start d1"]
    assert simulated.answers == {request: None}


def test_a_temporary_child_stopped_for_a_sibling_while_it_starts_fails_its_start() -> None:
    simulated = trio_of(Strategy.one_for_all)
    simulated.slow_start = {"d"}
    request = simulated.ask_start(spec("d", "temporary"))

    simulated.crash("a")

    assert isinstance(simulated.answers[request], ChildStartFailed)
    assert list(simulated.states()) == ["a", "b", "c"]


def test_a_stopped_child_is_not_restarted_alone_but_can_be_started_or_deleted() -> None:
    simulated = trio_of(Strategy.one_for_one)
    stopped = simulated.ask_stop("b")
    assert simulated.answers[stopped] is None
    assert simulated.states()["b"] == "stopped 1"

    started = simulated.ask_restart("b")
    assert simulated.answers[started] is None
    assert simulated.states()["b"] == "running 2"

    simulated.ask_stop("b")
    deleted = simulated.ask_delete("b")
    assert simulated.answers[deleted] is None
    assert list(simulated.states()) == ["a", "c"]


def test_a_stopped_child_is_restarted_with_its_group() -> None:
    simulated = trio_of(Strategy.one_for_all)
    simulated.ask_stop("b")

    simulated.crash("a")

    assert simulated.states() == {"a": "running 2", "b": "running 2", "c": "running 2"}


def test_a_stop_of_a_child_in_backoff_ends_the_restart() -> None:
    simulated = one(backoff=Backoff(base_s=3600, cap_s=3600, immediate_first=False))
    simulated.crash("a")

    request = simulated.ask_stop("a")

    assert simulated.answers == {request: None}
    assert simulated.states() == {"a": "stopped 1"}
    assert simulated.timers == {}
    simulated.advance(7200)
    assert simulated.states() == {"a": "stopped 1"}


@pytest.mark.parametrize("strategy", [Strategy.one_for_one, Strategy.one_for_all])
def test_a_stop_of_a_child_that_somebody_starts_answers_both(strategy: Strategy) -> None:
    simulated = trio_of(strategy)
    simulated.slow_start = {"a", "d"}
    simulated.crash("a")
    start = simulated.ask_start(spec("d"))

    stop = simulated.ask_stop("d")

    assert isinstance(simulated.answers[start], ChildStartFailed)
    assert simulated.answers[stop] is None
    assert "d" not in simulated.states()


def test_a_restart_that_fails_leaves_the_child_stopped() -> None:
    simulated = trio_of(Strategy.one_for_one)
    simulated.ask_stop("b")
    simulated.fail_start = {"b"}

    request = simulated.ask_restart("b")

    assert isinstance(simulated.answers[request], ChildStartFailed)
    assert simulated.states()["b"] == "stopped 2"


def test_stopping_a_temporary_child_forgets_it() -> None:
    simulated = one("temporary")

    simulated.ask_stop("a")

    assert simulated.states() == {}


NONSENSE: list[tuple[Callable[[Simulated], int], type[SupervisorError]]] = [
    (lambda it: it.ask_start(spec("a")), ChildExists),
    (lambda it: it.ask_start(spec("z", "transient", significant=True)), InvalidChildSpec),
    (lambda it: it.ask_stop("z"), NoSuchChild),
    (lambda it: it.ask_restart("z"), NoSuchChild),
    (lambda it: it.ask_delete("z"), NoSuchChild),
    (lambda it: it.ask_restart("a"), ChildStillRunning),
    (lambda it: it.ask_delete("a"), ChildStillRunning),
]


@pytest.mark.parametrize(("ask", "error"), NONSENSE)
def test_a_request_that_makes_no_sense_is_refused(
    ask: Callable[[Simulated], int], error: type[SupervisorError]
) -> None:
    simulated = trio_of(Strategy.one_for_one)

    request = ask(simulated)

    assert type(simulated.answers[request]) is error
    assert simulated.take_log() == []


def test_a_stopping_supervisor_refuses_requests_and_fails_the_starts_it_had_accepted() -> None:
    simulated = trio_of(Strategy.one_for_one)
    simulated.slow_start = {"d"}
    simulated.slow_stop = {"d"}
    accepted = simulated.ask_start(spec("d"))

    simulated.stop()
    refused = simulated.ask_start(spec("e"))

    assert isinstance(simulated.answers[accepted], SupervisorNotRunning)
    assert isinstance(simulated.answers[refused], SupervisorNotRunning)


def test_an_ended_supervisor_refuses_requests() -> None:
    simulated = trio_of(Strategy.one_for_one)
    simulated.stop()

    request = simulated.ask_stop("a")

    assert isinstance(simulated.answers[request], SupervisorNotRunning)
