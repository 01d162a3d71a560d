"""Peak RSS: the most resident memory that this process held during one attempt.

Not from getrusage on Linux: its ru_maxrss cannot be reset, and a started process inherits its parent's.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys

RESET_ABOVE_BYTES = 1 << 20
"""A reset costs as much as a small task: it waits until an earlier peak stands out by this much."""

FEW_FAULTS = 2
"""Memory becomes resident by page faults: after so few, the last peak still stands, and is not read again (50 us)."""

_RSS_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024


class PeakRss:
    """Call `begin` before an attempt and `end` after it."""

    def __init__(self) -> None:
        self._base_bytes = self._last_bytes = peak_rss_bytes()
        self._faults = _page_faults()

    def begin(self) -> None:
        if self._last_bytes > self._base_bytes + RESET_ABOVE_BYTES:
            _reset()
            self._base_bytes = self._last_bytes = peak_rss_bytes()
        self._faults = _page_faults()

    def end(self) -> int:
        """Bytes; since the start of the process where the system cannot reset it."""
        if _page_faults() > self._faults + FEW_FAULTS:
            self._last_bytes = peak_rss_bytes()
        return self._last_bytes


def _page_faults() -> int:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_minflt + usage.ru_majflt


def peak_rss_bytes() -> int:
    """The most resident memory since the last reset. Source: proc(5), VmHWM."""
    try:
        descriptor = os.open("/proc/self/status", os.O_RDONLY)
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT_BYTES
    try:
        text = os.read(descriptor, 4096)
    finally:
        os.close(descriptor)
    begin = text.index(b"VmHWM:") + len(b"VmHWM:")
    return int(text[begin : text.index(b"kB", begin)]) * 1024


def _reset() -> None:
    """The peak becomes what is resident now. Source: proc(5), clear_refs, 5."""
    with contextlib.suppress(OSError):
        descriptor = os.open("/proc/self/clear_refs", os.O_WRONLY)
        try:
            os.write(descriptor, b"5")
        finally:
            os.close(descriptor)
