"""The anchor: the head of a run's chain in a small file of its own, beside the journal.

A journal cannot tell by itself that its last rows are gone, nor that all of it was rewritten. Its anchor can, back to
when it was last set: at the start, each second while rows are written, and at the end.

The file is one line of JSON with a digest of its own, replaced as a whole.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from actorflow.runs.durable_file import write_durably

SUFFIX: Final = ".anchor"


class AnchorDamaged(ValueError):
    """The file is not what was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """seq, head: the last row and its digest, hexadecimal. closed: by an owner that ended in order.

    file_digest: SHA-256 of the closed journal file, "" where it could not be told. summary: how far the run was.
    """

    run_id: str
    seq: int
    head: str
    closed: bool = False
    file_digest: str = ""
    summary: dict[str, object] | None = None


def anchor_path(journal: Path) -> Path:
    """Where the anchor of that journal stands."""
    return journal.with_suffix(SUFFIX)


def write_anchor(journal: Path, anchor: Anchor) -> None:
    """Replace the anchor; it is on disk when this returns. Raises OSError, with the former one in place."""
    path = anchor_path(journal)
    write_durably(path, path.with_suffix(f"{SUFFIX}-part"), [anchor_bytes(anchor)])


def anchor_bytes(anchor: Anchor) -> bytes:
    """The content of its file."""
    text = json.dumps(asdict(anchor), sort_keys=True)
    return f"{text} {_digest(text)}\n".encode()


def read_anchor(journal: Path) -> Anchor | None:
    """The anchor of that journal; None if there is none. Raises AnchorDamaged, OSError."""
    try:
        data = anchor_path(journal).read_bytes()
    except FileNotFoundError:
        return None
    try:
        text, _, digest = data.decode().rpartition(" ")
        fields: dict[str, Any] = json.loads(text)
        if digest != f"{_digest(text)}\n":
            raise ValueError("the digest does not fit")
        return Anchor(**fields)
    except (ValueError, TypeError, RecursionError) as exc:
        raise AnchorDamaged(f"{anchor_path(journal).name} is damaged: {exc}") from exc


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
