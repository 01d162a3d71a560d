"""Values of every type, nested, arrays and tables among them, come back as they were over every transport."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actorflow.actors.codec import Codec
from actorflow.actors.compress import expand, squeeze
from actorflow.testing.transports import Subject
from actorflow_transports import Connection, ConnectionOptions
from tests.actors.test_codec_arrays import ALL, ANYTHING, assert_same
from tests.transports.test_conformance import inproc_subject, subprocess_subject, tcp_subject, unix_subject

CODEC = Codec()
PLAIN = ConnectionOptions(encode=CODEC.encode, decode=CODEC.decode)
COMPRESSED = ConnectionOptions(encode=CODEC.encode, decode=CODEC.decode, squeeze=squeeze, expand=expand)
SUBJECTS = [inproc_subject, subprocess_subject, unix_subject, tcp_subject]


async def echo(connection: Connection) -> None:
    async for item in connection:
        await connection.send(item)


async def there_and_back(subject: Subject, options: ConnectionOptions, values: list[Any]) -> list[Any]:
    """Each value after it went to the other end and came back."""
    back: list[Any] = []
    async with subject.pair(options) as (here, there), anyio.create_task_group() as tasks:
        tasks.start_soon(echo, there)
        tasks.start_soon(send_all, here, values)
        back += [await here.receive() for _ in values]
    return back


async def send_all(connection: Connection, values: list[Any]) -> None:
    for value in values:
        await connection.send(value)
    connection.end()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("subject", SUBJECTS)
@given(values=st.lists(ANYTHING, min_size=1, max_size=4), options=st.sampled_from([PLAIN, COMPRESSED]))
@settings(max_examples=25)
def test_any_nested_value_comes_back_over_the_wire(
    backend: str,
    subject: Callable[[Path], Subject],
    values: list[Any],
    options: ConnectionOptions,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    under_test = subject(tmp_path_factory.getbasetemp())

    back = anyio.run(there_and_back, under_test, options, values, backend=backend)

    for returned, value in zip(back, values, strict=True):
        assert_same(returned, value)


@pytest.mark.anyio
@pytest.mark.parametrize("subject", SUBJECTS)
async def test_every_array_and_table_comes_back_over_the_wire(
    subject: Callable[[Path], Subject], tmp_path: Path
) -> None:
    back = await there_and_back(subject(tmp_path), PLAIN, ALL)

    for returned, value in zip(back, ALL, strict=True):
        assert_same(returned, value)
