"""Fetch pages from an unreliable server, which this file starts itself, and retry what fails.

actorflow run examples/flaky_http.py
actorflow run examples/flaky_http.py -- --pages 50

The server answers every page's first request with 503 and drops the connection of every third page's second one.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import anyio

from actorflow import Retry, dag, task


class Unavailable(OSError):
    """The server said 503."""


class FlakyHandler(BaseHTTPRequestHandler):
    """Fails in a fixed pattern, so that every run of the example looks alike."""

    seen: ClassVar[Counter[str]] = Counter()
    lock: ClassVar[threading.Lock] = threading.Lock()

    def do_GET(self) -> None:
        with self.lock:
            self.seen[self.path] += 1
            request = self.seen[self.path]
        page = int(self.path.rsplit("/", 1)[-1])
        if request == 1:
            self.send_error(503)
        elif request == 2 and page % 3 == 0:
            self.close_connection = True
            self.connection.close()
        else:
            body = f"page {page} of the catalogue\n".encode() * (page + 1)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the run shows what fails."""


class FlakyServer(ThreadingHTTPServer):
    """Lets every page be asked for at once."""

    request_queue_size = 128


@cache
def server_port() -> int:
    """The port of a server on loopback, started at the first call and ended with the process."""
    server = FlakyServer(("127.0.0.1", 0), FlakyHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return int(server.server_address[1])


@task
async def list_pages(pages: int) -> list[str]:
    return [f"/page/{number}" for number in range(pages)]


@task(
    retry=Retry(attempts=4, backoff="exponential", base="20ms", cap="1s", jitter=0.5, retry_on=[OSError]), timeout="10s"
)
async def fetch(path: str) -> int:
    """The size of a page in bytes."""
    async with await anyio.connect_tcp("127.0.0.1", server_port()) as stream:
        await stream.send(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        with closed_as_error():
            answer = b"".join([chunk async for chunk in stream])
    if not answer:
        raise ConnectionResetError(f"{path}: the server hung up")
    head, _, body = answer.partition(b"\r\n\r\n")
    status = int(head.split(maxsplit=2)[1])
    if status == 503:
        raise Unavailable(f"{path}: 503 Service Unavailable")
    return len(body)


@contextmanager
def closed_as_error() -> Generator[None]:
    """A connection that breaks while it is read is an OSError like any other."""
    try:
        yield
    except anyio.BrokenResourceError as exc:
        raise ConnectionResetError("the server hung up in the middle") from exc


@task
async def total(sizes: list[int]) -> dict[str, int]:
    return {"pages": len(sizes), "bytes": sum(sizes)}


@dag
def flaky_http(pages: int = 20) -> dict[str, int]:
    """Every page arrives, though each fails at first."""
    sizes = fetch.map(list_pages(pages))
    return total(sizes)
