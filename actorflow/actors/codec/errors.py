"""What the codec raises.

CodecError (an ActorflowError)
├── EncodeError   a value that cannot travel: where in the value, which type, the way out
└── DecodeError   bytes that are not a value within the limits: what, and at which tag
"""

from __future__ import annotations

from typing import Final

from actorflow.actors.errors import ActorflowError

MAX_SHOWN_PATH: Final = 120
"""Characters of a path in a message; that of a value that contains itself has thousands."""


class CodecError(ActorflowError):
    """Base of what the codec raises."""


class EncodeError(CodecError):
    """A value that cannot be encoded.

    path: where it stands within the value given, as in `result.rows[3].when`.
    type_name: its type, as in `socket.socket`.
    reason: why it cannot travel. help: the way out.
    """

    def __init__(self, *, path: str, type_name: str, reason: str, help: str) -> None:
        self.path = path
        self.type_name = type_name
        self.reason = reason
        self.help = help
        super().__init__(f"{_shortened(path)}: cannot encode {type_name}: {reason}; {help}")

    def __reduce__(self) -> tuple[object, ...]:
        return _encode_error, (self.path, self.type_name, self.reason, self.help)


class DecodeError(CodecError):
    """Bytes that do not decode to a value, or not within the limits."""


def _shortened(path: str) -> str:
    """Its beginning and its end, where it is longer than anybody reads."""
    return path if len(path) <= MAX_SHOWN_PATH else f"{path[: MAX_SHOWN_PATH // 2]} ... {path[-MAX_SHOWN_PATH // 4 :]}"


def _encode_error(path: str, type_name: str, reason: str, help: str) -> EncodeError:
    return EncodeError(path=path, type_name=type_name, reason=reason, help=help)


class Refusal(Exception):
    """A part that cannot be encoded; collects its path while the call stack unwinds. Never leaves the codec."""

    def __init__(self, *, type_name: str, reason: str, help: str) -> None:
        super().__init__(reason)
        self.type_name = type_name
        self.reason = reason
        self.help = help
        self.steps: list[str] = []

    def under(self, step: str) -> Refusal:
        """The same refusal, seen from one level further out."""
        self.steps.append(step)
        return self

    def as_error(self, root: str) -> EncodeError:
        path = root + "".join(reversed(self.steps))
        return EncodeError(path=path, type_name=self.type_name, reason=self.reason, help=self.help)


def type_name(cls: type[object]) -> str:
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def kind_name(value: object) -> str:
    """The name of its type."""
    return type_name(type(value))


def shown(value: object) -> str:
    """Short, and safe for a value whose repr fails."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - any fault of a foreign repr; the path must still be told
        text = f"<{type_name(type(value))}>"
    return text if len(text) <= 40 else text[:37] + "..."
