"""Telemetry in a worker process: the user's spans nest inside their attempt's, and are sent before the process ends.

`around_attempts` is what a worker calls once the user's module is imported; see `RunSite.around`.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from actorflow.telemetry.attempt_context import context_of, current, told_to_children
from actorflow.telemetry.complaints import heard_complaints
from actorflow.telemetry.user_spans import take_in_user_spans

AROUND: Final = f"{__name__}:around_attempts"


def around_attempts() -> Callable[[Mapping[str, str]], AbstractContextManager[None]]:
    """What to enter around the body of an attempt, given its headers."""
    ours = take_in_user_spans()
    if ours is not None:
        heard_complaints()  # a worker prints what its tasks print, and nothing of ours
        atexit.register(ours.flush)
    return around_attempt


@contextmanager
def around_attempt(headers: Mapping[str, str]) -> Generator[None]:
    context = context_of(headers)
    if context is None:
        yield
        return
    with current(context), told_to_children(context):
        yield
