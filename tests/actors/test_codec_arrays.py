"""Arrays and tables come back as they were: dtype, layout, index, names, what is missing and how."""

from __future__ import annotations

import pytest

from actorflow.actors.codec import Codec
from tests.actors.array_values import VALUES, alike

CASES = [(kind, at) for kind, values in VALUES.items() for at in range(len(values))]


@pytest.mark.parametrize(("kind", "at"), CASES, ids=str)
def test_an_array_or_a_table_comes_back_as_it_was(kind: str, at: int) -> None:
    codec, value = Codec(), VALUES[kind][at]

    back = codec.decode(codec.encode(value))

    assert alike(value, back), f"{value!r} came back as {back!r}"
