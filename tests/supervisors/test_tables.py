"""The tables of supervision, a test for each row: exit reason, policy, strategy, intensity, backoff."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorflow_supervisors.backoff import Backoff, BackoffShape
from actorflow_supervisors.exit_reason import (
    Crashed,
    ExitReason,
    InitFailed,
    Killed,
    NodeDown,
    NoProc,
    Normal,
    Shutdown,
    crashed,
    describe,
    is_abnormal,
)
from actorflow_supervisors.intensity import RestartIntensity
from actorflow_supervisors.policy import Restart, should_restart
from actorflow_supervisors.strategy import Strategy, restart_group

ERROR = ValueError("no such\nrow")


@pytest.mark.parametrize(
    ("reason", "abnormal"),
    [
        (Normal(), False),
        (Shutdown(), False),
        (Shutdown("asked"), False),
        (Shutdown("intensity"), True),
        (Crashed(ERROR), True),
        (Killed("timeout"), True),
        (Killed("memory"), True),
        (Killed("signal", signal=9), True),
        (NoProc(), True),
        (NodeDown("far"), True),
        (InitFailed(ERROR), True),
    ],
)
def test_an_exit_is_abnormal_unless_it_returned_or_was_asked_to_end(reason: ExitReason, abnormal: bool) -> None:
    assert is_abnormal(reason) is abnormal


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (Normal(), "normal"),
        (Shutdown(), "shutdown"),
        (Shutdown("intensity"), "shutdown (intensity)"),
        (Crashed(ERROR), "crashed: ValueError: no such row"),
        (Crashed(KeyError()), "crashed: KeyError"),
        (Killed("timeout"), "killed: timeout"),
        (Killed("signal", signal=9, exit_code=-9), "killed: signal (signal 9, exit code -9)"),
        (
            Killed("memory", detail="limit 64 MiB", peak_rss_bytes=70 * 2**20),
            "killed: memory (limit 64 MiB, peak 70.0 MiB)",
        ),
        (NoProc(), "not running"),
        (NodeDown(), "node down"),
        (NodeDown("far"), "node down (far)"),
        (InitFailed(ERROR), "failed to start: ValueError: no such row"),
    ],
)
def test_an_exit_reason_reads_as_one_line(reason: ExitReason, words: str) -> None:
    assert describe(reason) == words


def test_a_crash_keeps_the_traceback_with_its_cause_as_text() -> None:
    try:
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise ValueError("outer") from error
    except ValueError as error:
        reason = crashed(error)

    assert "KeyError: 'inner'" in reason.traceback
    assert reason.traceback.endswith("ValueError: outer\n")


ALWAYS, ABNORMAL, NEVER = Restart.permanent, Restart.transient, Restart.temporary


@pytest.mark.parametrize(
    ("reason", "permanent", "transient", "temporary"),
    [
        (Normal(), True, False, False),
        (Shutdown(), True, False, False),
        (Shutdown("intensity"), True, True, False),
        (Crashed(ERROR), True, True, False),
        (Killed("memory"), True, True, False),
        (NoProc(), True, True, False),
        (NodeDown("far"), True, True, False),
        (InitFailed(ERROR), True, True, False),
    ],
    ids=[
        "normal",
        "shutdown",
        "shutdown for intensity",
        "crashed",
        "killed",
        "not running",
        "node down",
        "failed to start",
    ],
)
def test_5_restart_follows_the_table_of_type_and_exit_reason(
    reason: ExitReason, permanent: bool, transient: bool, temporary: bool
) -> None:
    assert should_restart(ALWAYS, reason) is permanent
    assert should_restart(ABNORMAL, reason) is transient
    assert should_restart(NEVER, reason) is temporary


@pytest.mark.parametrize(
    ("strategy", "failed", "group"),
    [
        (Strategy.one_for_one, "b", ["b"]),
        (Strategy.one_for_all, "b", ["a", "b", "c"]),
        (Strategy.rest_for_one, "a", ["a", "b", "c"]),
        (Strategy.rest_for_one, "b", ["b", "c"]),
        (Strategy.rest_for_one, "c", ["c"]),
    ],
)
def test_a_strategy_takes_these_siblings_with_a_restart(strategy: Strategy, failed: str, group: list[str]) -> None:
    assert restart_group(strategy, ["a", "b", "c"], failed) == group


@given(st.lists(st.text(min_size=1), min_size=1, unique=True), st.data())
def test_each_strategy_takes_a_part_of_what_the_next_wider_one_takes(children: list[str], data: st.DataObject) -> None:
    failed = data.draw(st.sampled_from(children))

    one, rest, everyone = (
        restart_group(strategy, children, failed)
        for strategy in (Strategy.one_for_one, Strategy.rest_for_one, Strategy.one_for_all)
    )

    assert one == rest[:1] == [failed]
    assert rest == everyone[len(everyone) - len(rest) :]
    assert everyone == children


@pytest.mark.parametrize(
    ("restarts_s", "now_s", "allowed"),
    [
        ([], 0.0, True),
        ([0.0], 1.0, True),
        ([0.0, 1.0], 4.0, False),
        ([0.0, 1.0], 5.0, False),
        ([0.0, 1.0], 5.01, True),
    ],
)
def test_two_restarts_in_five_seconds_allow_this_one(restarts_s: list[float], now_s: float, allowed: bool) -> None:
    assert RestartIntensity(max_restarts=2, max_seconds=5.0).allows(restarts_s, now_s) is allowed


def test_an_intensity_of_zero_refuses_the_first_restart() -> None:
    assert not RestartIntensity(max_restarts=0).allows([], now_s=0.0)


def test_the_default_intensity_is_three_in_five_seconds() -> None:
    assert RestartIntensity() == RestartIntensity(max_restarts=3, max_seconds=5.0)


@pytest.mark.parametrize(("max_restarts", "max_seconds"), [(-1, 5.0), (3, 0.0), (3, -1.0), (3, float("nan"))])
def test_an_intensity_outside_its_bounds_is_refused(max_restarts: int, max_seconds: float) -> None:
    with pytest.raises(ValueError, match="must be"):
        RestartIntensity(max_restarts=max_restarts, max_seconds=max_seconds)


@given(st.lists(st.floats(0, 100)), st.integers(0, 5), st.floats(0.1, 20))
def test_no_window_ever_holds_more_restarts_than_allowed(times: list[float], most: int, window_s: float) -> None:
    limit = RestartIntensity(max_restarts=most, max_seconds=window_s)
    allowed: list[float] = []

    for now_s in sorted(times):
        if limit.allows(allowed, now_s):
            allowed.append(now_s)

    assert all(sum(0 <= at_s - start_s <= window_s for at_s in allowed) <= most for start_s in allowed)


@pytest.mark.parametrize(
    ("restart_number", "immediate", "exponential", "linear", "fixed"),
    [
        (1, 0.0, 0.1, 0.1, 0.1),
        (2, 0.1, 0.2, 0.2, 0.1),
        (3, 0.2, 0.4, 0.3, 0.1),
        (4, 0.4, 0.8, 0.4, 0.1),
        (5, 0.8, 1.0, 0.5, 0.1),
    ],
)
def test_a_backoff_without_jitter_grows_by_its_shape(
    restart_number: int, immediate: float, exponential: float, linear: float, fixed: float
) -> None:
    def delay_s(shape: BackoffShape, *, immediate_first: bool = False) -> float:
        backoff = Backoff(base_s=0.1, cap_s=1.0, jitter=0.0, shape=shape, immediate_first=immediate_first)
        return backoff.delay_s(restart_number, Random(1))

    assert delay_s("exponential", immediate_first=True) == pytest.approx(immediate)
    assert delay_s("exponential") == pytest.approx(exponential)
    assert delay_s("linear") == pytest.approx(linear)
    assert delay_s("fixed") == pytest.approx(fixed)


@given(
    number=st.integers(1, 10**9),
    shape=st.sampled_from(["exponential", "linear", "fixed"]),
    jitter=st.floats(0, 1),
    seed=st.integers(),
)
def test_a_delay_lies_between_its_fixed_share_and_the_cap(
    number: int, shape: BackoffShape, jitter: float, seed: int
) -> None:
    whole_s = Backoff(jitter=0.0, shape=shape).delay_s(number, Random(seed))

    delay_s = Backoff(jitter=jitter, shape=shape).delay_s(number, Random(seed))

    assert whole_s * (1 - jitter) - 1e-9 <= delay_s <= whole_s + 1e-9 <= 30.0 + 1e-9


def test_full_jitter_spreads_a_delay_from_nothing_to_the_whole() -> None:
    rng = Random(7)

    delays_s = [Backoff(base_s=1.0, immediate_first=False).delay_s(1, rng) for _ in range(1000)]

    assert min(delays_s) < 0.05
    assert max(delays_s) > 0.95
    assert 0.45 < sum(delays_s) / 1000 < 0.55


def test_the_same_seed_gives_the_same_delays() -> None:
    assert Backoff().delay_s(5, Random(3)) == Backoff().delay_s(5, Random(3))


@pytest.mark.parametrize(("ran_s", "number"), [(0.0, 5), (59.9, 5), (60.0, 1), (1000.0, 1)])
def test_a_child_that_ran_for_the_reset_time_starts_again_at_the_first_restart(ran_s: float, number: int) -> None:
    assert Backoff(reset_after_s=60.0).next_restart_number(4, ran_s) == number


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_s": 0.0},
        {"base_s": 2.0, "cap_s": 1.0},
        {"factor": 0.5},
        {"jitter": -0.1},
        {"jitter": 1.1},
        {"reset_after_s": 0.0},
    ],
)
def test_a_backoff_outside_its_bounds_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Backoff(**wrong)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_restarts_are_numbered_from_one() -> None:
    with pytest.raises(ValueError, match="counts from 1"):
        Backoff().delay_s(0, Random(1))
