"""Values to bytes and back: what comes out equals what went in, type for type."""

from __future__ import annotations

from .build import Known, Reader, read_plain
from .errors import DecodeError, Refusal
from .limits import Limits, check
from .lower import Lowering
from .type_names import TypeResolver
from .wire import pack

_TAG_HEAD = b"\xc7"


class Codec:
    """Encodes values into msgpack and gives back what it was given.

    Carries None, bool, int of any size, float, str, bytes, bytearray, list, tuple, set, frozenset, dict with any
    hashable keys, date, time, datetime (naive, fixed offset, zoneinfo, fold), timedelta, Decimal, UUID, Path,
    complex, range, slice, enums and flags, NamedTuples, dataclasses and pydantic models (no __init__ and no validator
    runs again; what was set, private and extra is kept). All else is refused with the way out, also subclasses of
    builtins.
    An object that stands in a value twice comes back as two equal ones. No pickle; nothing is imported but what
    `resolve` permits. Safe between threads.
    """

    def __init__(self, resolve: TypeResolver | None = None, limits: Limits | None = None) -> None:
        self._resolver = resolve if resolve is not None else TypeResolver()
        self.limits = limits if limits is not None else Limits()
        self._known: Known = {}
        self._lowering = Lowering(resolver=self._resolver, max_depth=self.limits.max_depth)

    def encode(self, value: object, name: str = "value") -> bytes:
        """The encoded form, within the limits; raises EncodeError, whose path begins with `name`."""
        try:
            data = pack(self._lowering.lower(value))
            if len(data) > self.limits.max_bytes or len(data) > self.limits.max_elements:
                self._check_own(data, value)
        except Refusal as refusal:
            raise refusal.as_error(name) from None
        return data

    def decode(self, data: bytes) -> object:
        """The value; raises DecodeError for all that `encode` did not make, before it builds more than the limits."""
        check(data, self.limits)
        try:
            return Reader(self._resolver, self._known).read(data) if _TAG_HEAD in data else read_plain(data)
        except DecodeError:
            raise
        except Exception as exc:
            raise DecodeError(f"malformed: {type(exc).__name__}: {exc}") from exc

    def _check_own(self, data: bytes, value: object) -> None:
        """Refuse here what every decoder with these limits would refuse."""
        try:
            check(data, self.limits)
        except DecodeError as exc:
            help = "send it in parts, or raise Limits(max_bytes=, max_elements=)"
            raise Refusal(type_name=type(value).__qualname__, reason=str(exc), help=help) from None
