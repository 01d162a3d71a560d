"""Values to bytes and back: what comes out equals what went in, type for type."""

from __future__ import annotations

from .bodies import Bodies
from .build import Known, Reader, read_plain
from .errors import DecodeError, Refusal
from .limits import Limits, check
from .lower import Lowering
from .type_names import TypeResolver
from .wire import BODIES_HEAD, pack_with_bodies, split_bodies

_TAG_HEAD = b"\xc7"
_BODIES = bytes([BODIES_HEAD])
_OUT_OF_LIMITS = "send it in parts, or raise Limits(max_bytes=, max_elements=)"


class Codec:
    """Encodes values into msgpack and gives back what it was given.

    Carries None, bool, int of any size, float, str, bytes, bytearray, list, tuple, set, frozenset, dict with any
    hashable keys, date, time, datetime (naive, fixed offset, zoneinfo, fold), timedelta, Decimal, UUID, Path,
    complex, range, slice, enums and flags, NamedTuples, dataclasses and pydantic models (no __init__ and no validator
    runs again; what was set, private and extra is kept); and the arrays, tables and scalars of numpy, pandas, polars
    and pyarrow (docs/values.md). All else is refused with the way out, also subclasses of builtins.
    An object that stands in a value twice comes back as two equal ones. No pickle; nothing is imported but what
    `resolve` permits, and one of these four libraries where a value is of it. Safe between threads.
    too_large: the way out for what is beyond the limits, where theirs cannot be raised.
    """

    def __init__(
        self, resolve: TypeResolver | None = None, limits: Limits | None = None, *, too_large: str = _OUT_OF_LIMITS
    ) -> None:
        self._resolver = resolve if resolve is not None else TypeResolver()
        self.limits = limits if limits is not None else Limits()
        self._too_large = too_large
        self._known: Known = {}
        self._lowering = Lowering(resolver=self._resolver, max_depth=self.limits.max_depth)

    def encode(self, value: object, name: str = "value") -> bytes:
        """The encoded form, within the limits; raises EncodeError, whose path begins with `name`."""
        try:
            data = pack_with_bodies(self._lowering.lower(value))
            if len(data) > self.limits.max_bytes or len(data) > self.limits.max_elements:
                self._check_own(data, value)
        except Refusal as refusal:
            raise refusal.as_error(name) from None
        return data

    def decode(self, data: bytes | bytearray) -> object:
        """The value; raises DecodeError for all that `encode` did not make, before it builds more than the limits."""
        return self._decode(data, is_given=False)

    def decode_given(self, data: bytearray) -> object:
        """The same for data that is given away: its arrays lie in it, and are not copied out of it."""
        return self._decode(data, is_given=True)

    def _decode(self, data: bytes | bytearray, *, is_given: bool) -> object:
        try:
            if data[:1] == _BODIES:
                return self._decode_with_bodies(data, is_given=is_given)
            check(data, self.limits)
            if _TAG_HEAD not in data:
                return read_plain(data)
            return Reader(self._resolver, self._known, self.limits, None).read(data)
        except DecodeError:
            raise
        except Exception as exc:
            raise DecodeError(f"malformed: {type(exc).__name__}: {exc}") from exc

    def _decode_with_bodies(self, data: bytes | bytearray, *, is_given: bool) -> object:
        head, at = self._split(data)
        bodies = Bodies(data, at, is_given=is_given)
        return Reader(self._resolver, self._known, self.limits, bodies).read(head)

    def _split(self, data: bytes | bytearray) -> tuple[bytes, int]:
        """(the msgpack value, where its bodies begin), within the limits; raises DecodeError."""
        if len(data) > self.limits.max_bytes:
            raise DecodeError(f"{len(data):,} bytes are more than the limit of {self.limits.max_bytes:,}")
        head, at = split_bodies(data)
        check(head, self.limits)
        return head, at

    def _check_own(self, data: bytes, value: object) -> None:
        """Refuse here what every decoder with these limits would refuse."""
        try:
            if data[:1] == _BODIES:
                self._split(data)
            else:
                check(data, self.limits)
        except DecodeError as exc:
            name = type(value).__qualname__
            raise Refusal(type_name=name, reason=str(exc), help=self._too_large) from None
