"""Tasks that print in every way there is."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

libc = ctypes.CDLL(None)


def silent() -> None:
    pass


def says(text: str) -> None:
    print(text)


def prints(count: int) -> int:
    for number in range(count):
        print(f"line {number}")
    return count


def every_way() -> None:
    """Python, a descriptor, C, and a child process, on both streams."""
    print("by print")
    print("by print to stderr", file=sys.stderr)
    os.write(1, b"by os.write\n")
    libc.puts(b"by puts")
    libc.fflush(None)
    subprocess.run(["sh", "-c", "echo by a child; echo by a child to stderr >&2"], check=True)


def interleaved(count: int) -> None:
    for number in range(count):
        print(f"out {number}")
        print(f"err {number}", file=sys.stderr)


def bytes_of(data: bytes) -> None:
    os.write(1, data)


def long_line(size: int) -> None:
    sys.stdout.write("x" * size)


def ends(how: str) -> None:
    print("the last line")
    print("and without an end", end="")
    sys.stdout.flush()
    if how == "segfault":
        ctypes.string_at(0)
    os.kill(os.getpid(), signal.SIGKILL)


def many_then_segfault(count: int) -> None:
    for number in range(count):
        print(f"line {number}")
    ctypes.string_at(0)


def leaves_a_writer() -> int:
    """A child that holds both streams open and outlives the attempt."""
    with subprocess.Popen(["sleep", "1000"], start_new_session=True) as child:
        child.returncode = 0  # nobody waits for it
    print("left")
    return child.pid


def logs() -> None:
    print("before", file=sys.stderr)
    logging.getLogger("shop.orders").warning("order %d is late", 7, extra={"order": 7, "where": Path("/x")})
    print("after", file=sys.stderr)
    logging.getLogger("shop").info("nobody asked for this")


def logs_as_configured() -> None:
    logging.basicConfig(level=logging.DEBUG, format="%(levelname)s <%(message)s>", force=True)
    logging.getLogger("shop").debug("fine")


def logs_a_failure() -> None:
    try:
        raise ValueError("bad " + "ä" * 5000)
    except ValueError:
        logging.getLogger("shop").exception("it failed")


def surrogate() -> None:
    print("a\udcffb")


def prints_until_told(began: str, enough: str) -> int:
    """Print without a pause until `enough` exists; say through the named pipe `began` when a pipe's worth is out."""
    count = 0
    while not Path(enough).exists():
        for _ in range(1000):
            print("x" * 100)
        if count == 0:
            with open(began, "w") as pipe:
                pipe.write("yes\n")
        count += 1000
    return count
