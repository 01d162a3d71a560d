"""What each message is worth when the process that had it ends: a table, and any sequence of events."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorflow.actors.placement.flight import Flight, Progress


def flight_of(count: int, window: int = 10) -> Flight[str]:
    flight: Flight[str] = Flight(window)
    for number in range(1, count + 1):
        assert flight.add(f"m{number}") == number
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

    rooms = [flight.room > 0]
    assert flight.finished(2) == 2
    rooms.append(flight.room > 0)
    oldest = [flight.oldest]
    flight.remove(3)
    oldest.append(flight.oldest)

    assert (rooms, oldest) == ([False, True], ["m3", None])


@given(st.lists(st.sampled_from(["add", "begin", "finish", "told"]), max_size=60))
def test_every_message_lands_exactly_once_whatever_the_owner_was_told_before(steps: list[str]) -> None:
    flight: Flight[int] = Flight(1000)
    sent = begun = finished = known = 0
    acknowledged: list[int] = []
    for step in steps:
        if step == "add":
            sent = flight.add(sent + 1)
        elif step == "begin" and begun == finished < sent:
            begun += 1
        elif step == "finish":
            finished = begun
        elif step == "told":
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
