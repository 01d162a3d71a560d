"""Zygote marker: the one `NAME=value` by which a process is found, rewritten in a copy of that process.

What /proc shows as a process's environment is memory of that process, which its copies have too: a forked worker writes
its own marker over its zygote's, of the same length, and whatever it forks is found by that. Source: proc(5), environ,
and env_start, env_end of stat.
"""

from __future__ import annotations

import os


class Marker:
    """Where the marker of this process lies. text: what it is."""

    def __init__(self, text: bytes, address: int) -> None:
        self.text = text
        self._address = address

    def rewrite(self, text: bytes) -> None:
        """Carry another marker of the same length, for what is forked and for what is executed. Raises OSError."""
        if len(text) != len(self.text):
            raise OSError(f"a marker of {len(text)} bytes does not fit over one of {len(self.text)}")
        _write(text, self._address)
        os.environb.pop(self.text.split(b"=")[0], None)
        name, _, value = text.partition(b"=")
        os.environb[name] = value
        self.text = text


def find_marker(text: bytes) -> Marker | None:
    """Where `text`, with which this process was started, lies; None where that cannot be read and written."""
    try:
        with open("/proc/self/environ", "rb") as file:
            variables = file.read().split(b"\0")
        before = variables[: variables.index(text)]
        marker = Marker(text, _begin() + sum(len(variable) + 1 for variable in before))
        marker.rewrite(text)
    except (OSError, ValueError, IndexError):
        return None
    return marker


def can_rewrite() -> bool:
    """Whether a process on this system can write over its environment; it writes what is there."""
    try:
        with open("/proc/self/environ", "rb") as file:
            _write(file.read(1), _begin())
    except (OSError, ValueError, IndexError):
        return False
    return True


def _begin() -> int:
    """Where the environment of this process begins: env_start is the 50th field, and the state the third."""
    with open("/proc/self/stat", "rb") as file:
        stat = file.read()
    return int(stat[stat.rindex(b")") + 2 :].split()[47])


def _write(data: bytes, address: int) -> None:
    descriptor = os.open("/proc/self/mem", os.O_RDWR | os.O_CLOEXEC)
    try:
        os.pwrite(descriptor, data, address)
    finally:
        os.close(descriptor)
