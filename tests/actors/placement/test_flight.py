"""What each message is worth when the process that had it ends: a table, and any sequence of events."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorflow.actors.placement.flight import Flight, Progress


def flight_of(count: int, window: int = 10) -> Flight[str]:
    flight: Flight[str] = Flight(window)
    flight.extend([f"m{number}" for number in range(1, count + 1)])
    return flight


@pytest.mark.parametrize(
    ("begun", "finished", "handled", "in_hand", "untouched"),
    [
        (0, 0, (), None, ("m1", "m2", "m3")),
        (1, 0, (), "m1", ("m2", "m3")),
        (1, 1, ("m1",), None, ("m2", "m3")),
        (2, 1, ("m1",), "m2", ("m3",)),
        (3, 1, ("m1", "m2"), "m3", ()),  # m2 was passed over: its asker had gone
        (3, 3, ("m1", "m2", "m3"), None, ()),
    ],
)
def test_what_a_process_left_behind_follows_from_its_two_counts(
    begun: int, finished: int, handled: tuple[str, ...], in_hand: str | None, untouched: tuple[str, ...]
) -> None:
    landing = flight_of(3).land(begun, finished)

    assert (landing.handled, landing.in_hand, landing.untouched) == (handled, in_hand, untouched)


def test_there_is_room_for_a_window_of_messages_that_are_not_known_to_be_finished() -> None:
    flight = flight_of(3, window=3)

    rooms = [flight.room]
    assert flight.finished(2) == 2
    rooms.append(flight.room)
    flight.remove(3)
    rooms.append(flight.room)

    assert rooms == [0, 2, 3]


def test_one_that_was_removed_keeps_its_number_and_counts_as_nothing_else() -> None:
    flight = flight_of(5)

    flight.remove(2)
    flight.remove(2)
    flight.remove(4)
    flight.remove(6)
    counts = [len(flight), flight.next_number, flight.finished(3), len(flight)]
    landing = flight.land(3, 3)

    assert counts == [3, 6, 2, 1]
    assert (landing.handled, landing.in_hand, landing.untouched) == ((), None, ("m5",))


@given(st.lists(st.sampled_from(["add", "begin", "finish", "told", "told twice"]), max_size=60))
def test_every_message_lands_exactly_once_whatever_the_owner_was_told_before(steps: list[str]) -> None:
    flight: Flight[int] = Flight(1000)
    sent = begun = finished = known = 0
    acknowledged: list[int] = []
    for step in steps:
        if step == "add":
            sent += 1
            assert flight.next_number == sent
            flight.extend([sent])
        elif step == "begin" and begun == finished < sent:
            begun += 1
        elif step == "finish":
            finished = begun
        elif step.startswith("told"):
            assert step == "told" or flight.finished(known) == 0
            count = flight.finished(finished)
            acknowledged += range(known + 1, known + count + 1)
            known += count

    landing = flight.land(begun, finished)

    in_hand = [] if landing.in_hand is None else [landing.in_hand]
    assert acknowledged + list(landing.handled) + in_hand + list(landing.untouched) == list(range(1, sent + 1))
    assert in_hand == ([begun] if begun > finished else [])
    assert all(number > begun for number in landing.untouched)


def test_both_ends_of_a_shared_file_see_the_same_counts() -> None:
    fd = Progress.new_file()
    here, there = Progress(fd), Progress(fd)
    os.close(fd)

    there.begun, there.finished = 7, 6

    assert (here.begun, here.finished) == (7, 6)
    here.close()
    there.close()
