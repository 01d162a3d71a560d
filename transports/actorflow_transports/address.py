"""Addresses: scheme, and what the scheme makes of the rest."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import AddressError

_SHAPE = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<rest>.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Address:
    """`inproc://name`, `unix:///run/user/1000/a.sock`, `tcp://127.0.0.1:7000`, `fd://3`."""

    scheme: str
    rest: str

    @classmethod
    def parse(cls, text: str) -> Address:
        """Raises AddressError."""
        match = _SHAPE.fullmatch(text)
        if match is None:
            raise AddressError(f"{text!r} is no address; write scheme://..., as in tcp://127.0.0.1:7000")
        return cls(match["scheme"], match["rest"])

    def __str__(self) -> str:
        return f"{self.scheme}://{self.rest}"
