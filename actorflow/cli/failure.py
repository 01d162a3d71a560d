"""A failure as a person reads it: the cause in words, their own frames with source lines, then the small print."""

from __future__ import annotations

import os

from actorflow.cli.board import Failure
from actorflow.cli.spans import Line, bad, dim, line, strong
from actorflow.cli.words import attempt_words, duration, plural, shorten
from actorflow.runs.executor import Cause, ErrorRecord, Frame
from actorflow.runs.time_limit import DEADLINE, QUEUE_TIMEOUT, RUN_TIMEOUT

MAX_FRAMES = 8
RUN_TIMEOUT_HELP = "raise --timeout, or the `timeout` of the dag"
MAX_MESSAGE_LINES = 8

# What a cause means to the one who wrote the task; `error` is told by the exception itself.
CAUSE_WORDS = {
    Cause.timed_out: "timed out",
    Cause.out_of_memory: "out of memory",
    Cause.lost: "its worker died",
    Cause.bad_output: "its result cannot be stored",
    Cause.bad_input: "its input does not fit",
    Cause.cancelled: "cancelled",
}

# The way out, where the failure itself does not say it: by the type of its record, else by its cause.
CAUSE_HELP = {
    DEADLINE: "raise its `deadline`, which counts all attempts and the waits between them",
    QUEUE_TIMEOUT: "raise its `queue_timeout`, or give the run more workers",
    Cause.timed_out: "raise its `timeout`, or find out what it waited for",
    Cause.out_of_memory: 'raise its `memory`; "1GiB * attempt" gives another attempt more',
    Cause.lost: "its process ended without an exception: a crash in C code, os._exit, or a kill from outside",
    Cause.bad_output: "return plain values, dataclasses, pydantic models, arrays or tables",
}


def failure_lines(failure: Failure, *, folder: str, full_traceback: bool = False) -> list[Line]:
    """The block for one failed instance. folder: the current one, to shorten the names of files below it."""
    error = failure.error
    first, *rest = _headline(failure.cause, error)
    lines = [line(bad("FAILED"), " ", strong(failure.label), "  ", first)]
    lines += [line("  ", text) for text in rest]
    if full_traceback and error is not None and error.traceback:
        lines += [line("  ", text) for text in error.traceback.rstrip().splitlines()]
    elif error is not None:
        lines += frame_lines(error.frames, folder=folder)
    lines.append(_small_print(failure, full_traceback=full_traceback))
    help = (CAUSE_HELP.get(error.type) if error is not None else None) or CAUSE_HELP.get(failure.cause, "")
    lines.append(line("  ", dim("help: "), help) if help else ())
    return [spans for spans in lines if spans]


def run_failure_lines(cause: str, error: ErrorRecord) -> list[Line]:
    """The block for a run that failed as a whole, and not by a task of its own."""
    words = CAUSE_WORDS[Cause.timed_out] if error.type == RUN_TIMEOUT else cause.replace("_", " ")
    lines = [line(bad("FAILED"), " ", strong("the run"), f"  {words}: {error.message}")]
    return [*lines, line("  ", dim("help: "), RUN_TIMEOUT_HELP)] if error.type == RUN_TIMEOUT else lines


def one_line(cause: Cause, error: ErrorRecord | None, *, width: int = 100) -> str:
    """`ValueError: could not convert ...`, or `timed out: ...`."""
    return shorten(" ".join(_headline(cause, error)), width)


def frame_lines(frames: tuple[Frame, ...], *, folder: str) -> list[Line]:
    """The user's frames, outermost first, sources in one column; of many, both ends."""
    users = [frame for frame in frames if not frame.ours]
    if len(users) > MAX_FRAMES:
        half = MAX_FRAMES // 2
        left_out = line(dim(f"  ... {len(users) - 2 * half} more of your frames"))
        return [*_columns(users[:half], folder), left_out, *_columns(users[-half:], folder)]
    return _columns(users, folder)


def short_path(file: str, folder: str) -> str:
    """`file` as seen from `folder` where it lies below it, else as it is."""
    inside = folder.rstrip(os.sep) + os.sep
    return file[len(inside) :] if file.startswith(inside) else file


def _columns(frames: list[Frame], folder: str) -> list[Line]:
    places = [f"{short_path(frame.file, folder)}:{frame.line} in {frame.function}" for frame in frames]
    width = max((len(place) for place in places), default=0)
    return [
        line("  ", dim(place.ljust(width)), "   ", frame.source) for place, frame in zip(places, frames, strict=True)
    ]


def _headline(cause: Cause, error: ErrorRecord | None) -> list[str]:
    words = CAUSE_WORDS.get(cause, "")
    if error is None:
        return [words or cause.replace("_", " ")]
    name = error.type.rpartition(":")[2]
    message = error.message.splitlines()
    if len(message) > MAX_MESSAGE_LINES:
        message = [*message[:MAX_MESSAGE_LINES], f"... {len(message) - MAX_MESSAGE_LINES} more lines"]
    head = words or name
    return [f"{head}: {message[0]}", *message[1:]] if message else [head]


def _small_print(failure: Failure, *, full_traceback: bool) -> Line:
    parts: list[str] = []
    if failure.attempt:
        parts.append(attempt_words(failure.attempt, failure.attempts_allowed))
    if failure.worker:
        parts.append(failure.worker if failure.worker.startswith("worker") else f"worker {failure.worker}")
    if failure.seconds is not None:
        parts.append(duration(failure.seconds))
    hidden = sum(frame.ours for frame in failure.error.frames) if failure.error is not None else 0
    if hidden and not full_traceback:
        parts.append(f"{plural(hidden, 'frame')} of actorflow hidden")
    return line("  ", dim(", ".join(parts))) if parts else ()
