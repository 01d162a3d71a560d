"""Worker words: what is told of a worker process that has ended."""

from __future__ import annotations

from collections.abc import Sequence

from actorflow_supervisors.memory import mebibytes
from actorflow_supervisors.process import Process, ProcessExit


def why_ended(process: Process, ended: ProcessExit) -> str:
    """What most likely ended it, and what it used."""
    why = "; a signal had stopped it for too long, so it was killed" if process.was_stopped else hint(ended)
    used = process.last_rss_bytes
    return f"{why}; it used {mebibytes(used >> 20 << 20)} of memory when last measured" if used >> 20 else why


def last_words(lines: Sequence[str]) -> str:
    """What a worker wrote last, as the end of a message about its end."""
    return "\n  ".join(["; it last wrote:", *lines]) if lines else ""


def hint(ended: ProcessExit) -> str:
    """What an end most likely means, for people."""
    if ended.signal is None:
        return "; something in the task, or in a library, ended the process"
    if ended.signal == 9:
        return "; somebody killed it: the system does so when memory runs out"
    if ended.signal in (4, 6, 7, 8, 11):
        return "; native code in the task, or in a library, crashed"
    return ""
