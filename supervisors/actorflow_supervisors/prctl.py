"""Prctl: the two requests of Linux about parents and children for which Python has no function.

Sources: prctl(2), PR_SET_PDEATHSIG and PR_SET_CHILD_SUBREAPER.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

_PDEATHSIG = 1
_CHILD_SUBREAPER = 36


def parent_death_signal() -> Callable[[], bool]:
    """A function for a child to call: be killed when the *thread* that is its parent ends. Returns whether it is so.

    It loads nothing any more, so that it can be called between fork and exec.
    """
    prctl = _prctl()
    if prctl is None:
        return _unavailable
    kill = int(signal.SIGKILL)
    return lambda: prctl(_PDEATHSIG, kill, 0, 0, 0) == 0


def become_subreaper() -> bool:
    """From now on, orphans among the descendants of this process become its children. Returns whether it is so."""
    prctl = _prctl()
    return prctl is not None and prctl(_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


def has_prctl() -> bool:
    """Whether this system has both."""
    return _prctl() is not None


def _unavailable() -> bool:
    return False


def _prctl() -> Callable[..., int] | None:
    if sys.platform != "linux":
        return None
    try:
        import ctypes

        found: Callable[..., int] = ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return None
    return found
