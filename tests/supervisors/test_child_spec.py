"""A child spec says what is wrong with it before anything runs."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from actorflow_supervisors.child_spec import ChildSpec
from actorflow_supervisors.errors import InvalidChildSpec
from actorflow_supervisors.policy import Restart
from actorflow_supervisors.subprocess_child import Subprocess


async def work() -> None:
    """A child that has nothing to do."""


def test_a_child_is_permanent_with_five_seconds_of_grace_unless_said_otherwise() -> None:
    spec = ChildSpec(id="a", run=work)

    assert spec.restart is Restart.permanent
    assert spec.shutdown_s == 5.0
    assert not spec.significant


def test_a_restart_type_may_be_given_by_name() -> None:
    assert ChildSpec(id="a", run=work, restart="transient").restart is Restart.transient


def test_a_child_spec_is_a_value() -> None:
    spec = ChildSpec(id="a", run=work)

    assert spec == ChildSpec(id="a", run=work)
    assert replace(spec, id="b") == ChildSpec(id="b", run=work)
    with pytest.raises(FrozenInstanceError):
        spec.id = "b"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"id": ""}, "id that is not empty"),
        ({"run": 7}, "run of child 'a' must be an async callable, not 7"),
        ({"restart": "sometimes"}, "restart of child 'a' is one of permanent, transient, temporary, not 'sometimes'"),
        ({"shutdown_s": -1.0}, "shutdown_s of child 'a' must be 0 or more"),
        ({"shutdown_s": float("nan")}, "shutdown_s of child 'a' must be 0 or more"),
        ({"significant": True}, "significant and permanent"),
        ({"placement": "process"}, r"placement of child 'a' is a value such as Subprocess\(\), not 'process'"),
        ({"placement": Subprocess}, r"placement of child 'a' is a value such as Subprocess\(\), not <class"),
    ],
)
def test_a_spec_that_contradicts_itself_is_refused(wrong: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"id": "a", "run": work, **wrong}

    with pytest.raises(InvalidChildSpec, match=message):
        ChildSpec(**arguments)
