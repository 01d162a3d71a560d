"""Crash dump: of the lines that a process wrote last, those that say most about its end.

| the lines | what is kept |
|---|---|
| no dump of Python's fault handler | the last ones |
| a dump, and what follows it, that fit | the last ones |
| a longer dump | its first line, `Fatal Python error: ...`, then the thread that crashed, from its innermost frame on |

Source of the format: CPython's Python/traceback.c, `_Py_DumpTracebackThreads`.
"""

from __future__ import annotations

from collections.abc import Sequence

FATAL = "Fatal Python error: "
_CRASHED = "Current thread "
_MORE = "  ..."


def telling_lines(lines: Sequence[str], most: int) -> list[str]:
    """At most `most` of them, by the table of the module's docstring. most: 4 or more."""
    begin = max((number for number, text in enumerate(lines) if text.startswith(FATAL)), default=-1)
    if begin < 0 or len(lines) - begin <= most:
        return list(lines[-most:])
    crashed = next((number for number, text in enumerate(lines) if number > begin and text.startswith(_CRASHED)), begin)
    thread = [text for text in lines[max(crashed, begin + 1) :] if text]
    frames = [text for text in thread[1:] if text.startswith("  ")]
    kept = [lines[begin], thread[0], *frames[: most - 3]]
    return [*kept, _MORE]
