"""The value codec: values to bytes and back, type for type, within limits, without pickle."""

from __future__ import annotations

from .codec import Codec as Codec
from .errors import CodecError as CodecError
from .errors import DecodeError as DecodeError
from .errors import EncodeError as EncodeError
from .limits import Limits as Limits
from .type_names import TypeResolver as TypeResolver
