"""What zygotes under test import and what their workers do: a few lines of Python that come as their payload."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable

kept: list[object] = []


def preload(kind: str) -> None:
    """Once, in the zygote."""
    preloads: dict[str, Callable[[], object]] = {
        "plain": lambda: None,
        "thread": lambda: threading.Thread(target=signal.pause, daemon=True).start(),
        "file": lambda: kept.append(os.open(os.devnull, os.O_RDONLY)),
        "process": lambda: kept.append(subprocess.Popen([sys.executable, "-ISc", "import signal; signal.pause()"])),
        "os._exit": lambda: os._exit(4),
    }
    preloads[kind]()


def entry(sock: socket.socket, payload: bytes) -> None:
    """In each worker: `say(text)` writes a line to the test, `hold()` waits for ever."""

    def say(text: object) -> None:
        sock.sendall(f"{text}\n".encode())

    def hold() -> None:
        while True:
            signal.pause()

    exec(payload, {"say": say, "hold": hold, "os": os, "random": random, "signal": signal, "sock": sock})
