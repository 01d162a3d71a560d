"""The hash chain over a journal's rows: each digest covers its row and, through the one before, all earlier rows."""

from __future__ import annotations

import hashlib

DIGEST_BYTES = 32


def genesis(run_id: str) -> bytes:
    """What the first row is chained to; rows of another run do not follow from it."""
    return hashlib.sha256(b"actorflow journal 1\0" + run_id.encode()).digest()


def link(previous: bytes, row: bytes) -> bytes:
    """The digest of `row` after `previous`."""
    return hashlib.sha256(previous + row).digest()
