"""Retry becomes plain data, with the supervisors' own backoff and the names of exception classes."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

import pytest

from actorflow.flows.graph import RetryPolicy
from actorflow.flows.retry import Retry


class Flaky(Exception):
    """Named by module and qualified name."""


def test_a_retry_has_three_attempts_with_growing_waits_of_which_a_quarter_is_random() -> None:
    policy = Retry().policy()

    waits_s = [policy.backoff.delay_s(number, Random(number)) for number in (1, 2, 3, 20)]
    assert policy.attempts == 3
    assert policy.retry_on is None
    for wait_s, whole_s in zip(waits_s, [0.2, 0.4, 0.8, 10.0], strict=True):
        assert whole_s * 0.75 <= wait_s <= whole_s


def test_the_first_wait_is_not_left_out_as_it_is_for_a_supervisor() -> None:
    policy = Retry(base="1s", jitter=0).policy()

    assert policy.backoff.delay_s(1, Random(0)) == 1.0


def test_exception_classes_become_names_that_a_worker_understands() -> None:
    policy = Retry(retry_on=[OSError, Flaky, "httpx:HTTPError"]).policy()

    assert policy.retry_on == ("builtins:OSError", f"{__name__}:Flaky", "httpx:HTTPError")


def test_restarts_after_running_out_of_memory_have_a_number_of_their_own() -> None:
    assert Retry().policy().memory_restarts is None
    assert Retry(memory=0).policy().memory_restarts == 0
    assert Retry(memory=2).policy().memory_restarts == 2


def test_no_classes_at_all_is_not_the_same_as_any() -> None:
    assert Retry(retry_on=[]).policy().retry_on == ()


def test_the_durations_of_a_retry_are_written_as_everywhere() -> None:
    forms: list[Any] = ["2s", 2, 2.0, timedelta(seconds=2)]

    assert len({Retry(base=form, backoff="fixed").policy() for form in forms}) == 1


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"attempts": 0}, "attempts must be a whole number of 1 or more, not 0"),
        ({"attempts": 2.5}, "attempts must be a whole number"),
        ({"attempts": True}, "attempts must be a whole number"),
        ({"memory": -1}, "memory must be a whole number of 0 or more, not -1"),
        ({"memory": True}, "memory must be a whole number"),
        ({"backoff": "quadratic"}, "backoff is one of exponential, linear, fixed"),
        ({"base": "soon"}, "base: 'soon' is no duration"),
        ({"cap": -1}, "cap: a duration is"),
        ({"base": "0s"}, "base must be more than 0"),
        ({"base": "20s"}, "at most cap"),
        ({"jitter": 1.5}, "jitter is a share from 0 to 1"),
        ({"jitter": "some"}, "jitter is a share from 0 to 1"),
        ({"retry_on": OSError}, r"write retry_on=\[OSError\]"),
        ({"retry_on": "OSError"}, r"write retry_on=\['OSError'\]"),
        ({"retry_on": [int]}, "not int"),
        ({"retry_on": ["OSError"]}, "module:qualname"),
        ({"retry_on": [":x"]}, "module:qualname"),
    ],
)
def test_a_wrong_field_is_named(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Retry(**options).policy()


def test_equal_retries_make_equal_policies() -> None:
    assert Retry(attempts=2).policy() == Retry(attempts=2).policy() != RetryPolicy()
