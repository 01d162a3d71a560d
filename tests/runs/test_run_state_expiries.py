"""Expiries: whoever was put in first expires first, whatever is dropped and put in again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actorflow.runs.expiries import Expiries


def test_those_whose_time_is_over_are_taken_out_once() -> None:
    waits = Expiries(5.0)
    waits.put([0, 1], 0.0)
    waits.put([2], 1.0)

    assert waits.next_s() == 5.0
    assert waits.due(4.9) == []
    assert waits.due(5.0) == [0, 1]
    assert waits.due(5.0) == []
    assert waits.next_s() == 6.0


def test_one_that_is_dropped_and_put_in_again_begins_anew_at_the_end() -> None:
    waits = Expiries(5.0)
    waits.put([0, 1], 0.0)

    assert waits.drop(0) == 5.0
    assert waits.drop(0) is None
    waits.put([0], 3.0)

    assert waits.due(7.0) == [1]
    assert waits.due(8.0) == [0]


def test_one_that_is_put_in_twice_keeps_its_first_time() -> None:
    waits = Expiries(5.0)
    waits.put([0], 0.0)
    waits.put([0], 4.0)

    assert waits.at(0) == 5.0


def test_a_shift_gives_everyone_more_time() -> None:
    waits = Expiries(5.0)
    waits.put([0], 0.0)
    waits.shift(10.0)

    assert waits.due(14.9) == []
    assert waits.due(15.0) == [0]


@given(st.lists(st.tuples(st.sampled_from(["put", "drop", "due"]), st.integers(0, 5), st.floats(0, 3)), max_size=40))
def test_against_a_model_that_looks_at_everyone(steps: list[tuple[str, int, float]]) -> None:
    waits, model, now_s = Expiries(2.0), dict[int, float](), 0.0
    for what, index, later_s in steps:
        now_s += later_s
        if what == "put":
            waits.put([index], now_s)
            model.setdefault(index, now_s + 2.0)
        elif what == "drop":
            assert waits.drop(index) == model.pop(index, None)
        else:
            over = {other for other, expires_s in model.items() if expires_s <= now_s}
            assert set(waits.due(now_s)) == over
            model = {other: expires_s for other, expires_s in model.items() if other not in over}
        assert waits.next_s() == min(model.values(), default=None)
