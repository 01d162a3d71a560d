"""The way to the end of a process tree, row by row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorflow_supervisors.warden_ladder import CONFIRM_S, Action, Event, Ladder, Stage


def at(stage: Stage) -> Ladder:
    """A ladder in a stage that began at 0."""
    ladder = Ladder()
    if stage is Stage.asked:
        ladder.stop(0.0, 10.0)
    elif stage is Stage.killing:
        ladder.happened(Event.kill, 0.0)
    elif stage is Stage.gone:
        ladder.buried()
    return ladder


@pytest.mark.parametrize(
    ("stage", "event", "next_stage", "action"),
    [
        (Stage.running, Event.stop, Stage.asked, Action.terminate),
        (Stage.running, Event.kill, Stage.killing, Action.kill),
        (Stage.running, Event.ended, Stage.killing, Action.kill),
        (Stage.running, Event.all_gone, Stage.running, Action.nothing),
        (Stage.asked, Event.ended, Stage.asked, Action.nothing),
        (Stage.asked, Event.all_gone, Stage.killing, Action.kill),
        (Stage.asked, Event.kill, Stage.killing, Action.kill),
        (Stage.asked, Event.deadline, Stage.killing, Action.kill),
        (Stage.killing, Event.all_gone, Stage.killing, Action.confirm),
        (Stage.killing, Event.deadline, Stage.gone, Action.bury),
        (Stage.killing, Event.kill, Stage.killing, Action.nothing),
        (Stage.killing, Event.stop, Stage.killing, Action.nothing),
        (Stage.killing, Event.ended, Stage.killing, Action.nothing),
        (Stage.gone, Event.kill, Stage.gone, Action.nothing),
        (Stage.gone, Event.ended, Stage.gone, Action.nothing),
    ],
)
def test_what_comes_next(stage: Stage, event: Event, next_stage: Stage, action: Action) -> None:
    ladder = at(stage)

    assert ladder.happened(event, 1.0) is action
    assert ladder.stage is next_stage


def test_the_shortest_grace_counts() -> None:
    ladder = Ladder()

    assert ladder.stop(0.0, 60.0) is Action.terminate
    assert ladder.stop(1.0, 5.0) is Action.nothing
    assert ladder.stop(2.0, 100.0) is Action.nothing
    assert ladder.deadline_s == 6.0
    assert not ladder.is_due(5.9)
    assert ladder.is_due(6.0)


def test_a_stop_without_grace_is_a_kill() -> None:
    ladder = Ladder()

    assert ladder.stop(0.0, 0.0) is Action.kill
    assert ladder.deadline_s == CONFIRM_S


@given(
    st.lists(st.sampled_from([Event.kill, Event.ended, Event.all_gone, Event.deadline, Event.stop]), max_size=20),
    st.floats(min_value=0.0, max_value=60.0),
)
def test_whatever_happens_nothing_leads_back(events: list[Event], grace_s: float) -> None:
    order = list(Stage)
    ladder = Ladder()
    reached = 0
    for now_s, event in enumerate(events):
        action = ladder.stop(float(now_s), grace_s) if event is Event.stop else ladder.happened(event, float(now_s))
        assert order.index(ladder.stage) >= reached
        assert action is not Action.terminate or reached == 0
        reached = order.index(ladder.stage)
