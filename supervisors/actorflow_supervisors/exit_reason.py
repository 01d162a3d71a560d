"""Exit reasons: why a child ended, as a value.

| reason                        | means                                                         | abnormal |
|-------------------------------|---------------------------------------------------------------|----------|
| `Normal()`                    | it returned                                                   | no       |
| `Shutdown(detail)`            | it ended because it was asked to                              | no       |
| `Shutdown(detail="intensity")`| a supervisor that gave up after too many restarts             | yes      |
| `Crashed(error)`              | an exception left it, or a cancellation nobody asked for      | yes      |
| `Killed(cause)`               | it was ended from outside: timeout, memory or a signal        | yes      |
| `NoProc()`                    | it was not there (any more) when it was looked for            | yes      |
| `NodeDown(node)`              | the node it lived on is lost                                  | yes      |
| `InitFailed(error)`           | it never came up                                              | yes      |

Source: Erlang/OTP exit reasons normal, shutdown, {shutdown, Term}, killed, noproc, noconnection. Unlike OTP, the
`shutdown` of a supervisor that gave up is abnormal, so that a transient one is restarted by its parent.
"""

from __future__ import annotations

import traceback as _traceback
from dataclasses import dataclass
from typing import Literal, TypeAlias, assert_never

INTENSITY = "intensity"
"""The detail of the `Shutdown` of a supervisor that restarted too often."""


@dataclass(frozen=True, slots=True)
class Normal:
    """It returned."""


@dataclass(frozen=True, slots=True)
class Shutdown:
    """It ended because it was asked to; `detail` says by what, if that is known."""

    detail: str = ""


@dataclass(frozen=True, slots=True)
class Crashed:
    """`error` left it; `traceback` is the formatted text, kept when the error crosses a process."""

    error: BaseException
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class Killed:
    """It was ended from outside; `signal`, `exit_code` and `peak_rss_bytes` (its highest memory) are its process's."""

    cause: Literal["timeout", "memory", "signal"]
    detail: str = ""
    signal: int | None = None
    exit_code: int | None = None
    peak_rss_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class NoProc:
    """It was not there when it was looked for."""


@dataclass(frozen=True, slots=True)
class NodeDown:
    """The node it lived on is lost."""

    node: str = ""


@dataclass(frozen=True, slots=True)
class InitFailed:
    """`error` left it before it counted as started."""

    error: BaseException
    traceback: str = ""


ExitReason: TypeAlias = Normal | Shutdown | Crashed | Killed | NoProc | NodeDown | InitFailed


def is_abnormal(reason: ExitReason) -> bool:
    """True for every reason but `Normal` and a `Shutdown` that is not for restart intensity."""
    if isinstance(reason, Shutdown):
        return reason.detail == INTENSITY
    return not isinstance(reason, Normal)


def crashed(error: BaseException) -> Crashed:
    """`error` as an exit reason, with its traceback as text."""
    return Crashed(error, traceback_text(error))


def init_failed(error: BaseException) -> InitFailed:
    """`error`, raised before the child counted as started, as an exit reason with its traceback as text."""
    return InitFailed(error, traceback_text(error))


def traceback_text(error: BaseException) -> str:
    """The traceback of `error` with its causes, as Python prints it."""
    return "".join(_traceback.format_exception(error))


def describe(reason: ExitReason) -> str:
    """`reason` on one line, for people: `crashed: ValueError: no such row`."""
    match reason:
        case Normal():
            return "normal"
        case Shutdown(detail=detail):
            return _with_detail("shutdown", detail)
        case Crashed(error=error):
            return f"crashed: {_one_line(error)}"
        case Killed():
            return _describe_killed(reason)
        case NoProc():
            return "not running"
        case NodeDown(node=node):
            return _with_detail("node down", node)
        case InitFailed(error=error):
            return f"failed to start: {_one_line(error)}"
        case _:
            assert_never(reason)


def _describe_killed(reason: Killed) -> str:
    facts = [reason.detail] if reason.detail else []
    for what, number in (("signal", reason.signal), ("exit code", reason.exit_code)):
        if number is not None and f"{what} {number}" not in reason.detail:
            facts.append(f"{what} {number}")
    if reason.peak_rss_bytes is not None:
        facts.append(f"peak {reason.peak_rss_bytes / 2**20:.1f} MiB")
    return _with_detail(f"killed: {reason.cause}", ", ".join(facts))


def _with_detail(word: str, detail: str) -> str:
    return f"{word} ({detail})" if detail else word


def _one_line(error: BaseException) -> str:
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words}" if words else type(error).__name__
