"""JSON as the commands print it: valid for every reader, whatever values are in it."""

from __future__ import annotations

import json

from actorflow.runs.events import JSON_VERSION
from actorflow.runs.plain_json import plain


def pretty(value: object) -> str:
    """Several lines for a person and `jq` alike; nan and infinities are text, since JSON has none."""
    return json.dumps(plain(value), ensure_ascii=False, indent=2)


def one_line(value: object) -> str:
    """One line of NDJSON; `value` is plain JSON already."""
    return json.dumps(value, ensure_ascii=False)


def answer(**fields: object) -> str:
    """A command's answer as one object, its version first."""
    return pretty({"v": JSON_VERSION, **fields})
