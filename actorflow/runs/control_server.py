"""Control server: the owner's side of a conversation at a run's control socket.

After the greeting the caller sends questions, one JSON object each, and gets an answer to each, in any order:

| from | item |
|---|---|
| caller | `{"id": 1, "ask": "actors", "with": {...}}`; `with` may be left out |
| run | `{"id": 1, "reply": ...}`, or `{"id": 1, "error": "what is wrong"}` |
"""

from __future__ import annotations

import json
import logging
import socket
from functools import partial
from typing import Any, Final, cast

import anyio

from actorflow.runs.control_socket import CALLER_ROLE, ROLE, Answers
from actorflow_transports.address import Address
from actorflow_transports.errors import ConnectionClosed, TransportError
from actorflow_transports.handshake import MAX_HELLO_BYTES, Hello, greet
from actorflow_transports.interface import Connection, ConnectionOptions
from actorflow_transports.socket_listener import SocketListener
from actorflow_transports.unix import peer_of_same_user

MAX_REPLY_BYTES: Final = 64 * 1024 * 1024
MAX_CALLERS: Final = 32
"""Served at once; further ones wait in the kernel's queue."""

logger = logging.getLogger("actorflow.runs")


def to_bytes(item: object) -> bytes:
    return json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def from_bytes(data: bytes) -> Any:
    return json.loads(bytes(data).decode("utf-8", "surrogatepass"))


OPTIONS: Final = ConnectionOptions(
    encode=to_bytes, decode=from_bytes, max_frame_bytes=MAX_REPLY_BYTES, max_first_frame_bytes=MAX_HELLO_BYTES
)


async def serve(listening: socket.socket, answers: Answers) -> None:
    """Answer whoever connects, until it is cancelled or the socket is closed."""
    address = Address("unix", str(listening.getsockname()))
    free = anyio.Semaphore(MAX_CALLERS)
    listener = SocketListener(listening, address, OPTIONS, admit=peer_of_same_user)
    async with listener, anyio.create_task_group() as callers:
        while True:
            await free.acquire()
            connection = await listener.accept()
            callers.start_soon(_attend, connection, answers, free)


async def _attend(connection: Connection, answers: Answers, free: anyio.Semaphore) -> None:
    """One caller, from the greeting to the end; what it does wrong costs its own connection only."""
    try:
        async with connection:
            await greet(connection, Hello(role=ROLE, max_frame_bytes=MAX_REPLY_BYTES), accepts={CALLER_ROLE})
            async with anyio.create_task_group() as questions:
                async for item in connection:
                    questions.start_soon(_answer, connection, item, answers)
    except* TransportError as group:
        logger.info("a caller at the control socket: %s", group.exceptions[0])
    finally:
        free.release()


async def _answer(connection: Connection, item: Any, answers: Answers) -> None:
    number, reply = await _reply(item, answers)
    try:
        await connection.send({"id": number, **reply})
    except ConnectionClosed:
        return


async def _reply(item: Any, answers: Answers) -> tuple[object, dict[str, object]]:
    match item:
        case {"ask": str(name), "id": number, **rest} if name in answers:
            given = rest.get("with")
            ask = partial(answers[name], cast("dict[str, object]", given) if isinstance(given, dict) else {})
        case {"ask": name, "id": number}:
            known = ", ".join(sorted(answers))
            return number, {"error": f"this run does not answer {name!r:.60}; it answers {known}"}
        case _:
            return None, {"error": "a question has `id` and `ask`"}
    try:
        return number, {"reply": await ask()}
    except Exception as exc:
        logger.exception("the answer to %r failed", name)
        return number, {"error": f"{type(exc).__name__}: {exc}"}
