"""What went wrong before anything ran, as one value: words for a person, or one JSON line for a program."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from actorflow.cli.exits import ExitCode
from actorflow.cli.spans import Line, bad, dim, line, strong


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something stands: file, line from 1 (0: the file as a whole), and the text of that line."""

    file: str
    line: int = 0
    text: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One thing that is wrong. code, name: "AF021", "duplicate_name", or "" for a mistake on the command line.

    related: a second place the message speaks of.
    """

    message: str
    code: str = ""
    name: str = ""
    place: Place | None = None
    related: tuple[Place, ...] = ()
    help: str = ""


class Complaint(Exception):
    """Raised by a command that refuses: nothing ran, `exit_code` says of which kind it is."""

    def __init__(self, *remarks: Remark, exit_code: ExitCode = ExitCode.invalid) -> None:
        super().__init__("; ".join(remark.message for remark in remarks))
        self.remarks = remarks
        self.exit_code = exit_code


class HelpAsked(Exception):
    """Raised where a help page was asked for; `text` is the page, and nothing is wrong."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def refusal(message: str, help: str = "") -> Complaint:
    """A complaint of one remark about the command line or the settings."""
    return Complaint(Remark(message=message, help=help))


def complaint_lines(remarks: tuple[Remark, ...]) -> list[Line]:
    """All remarks, each with its place and the way out, then how many there are where it is more than one."""
    lines = [spans for remark in remarks for spans in _remark_lines(remark)]
    if len(remarks) > 1:
        lines.append(line(f"{len(remarks)} faults; nothing ran"))
    return lines


def complaint_json(remarks: tuple[Remark, ...], exit_code: ExitCode) -> str:
    """The complaint as one event line; `seq` is 0 since it belongs to no run."""
    event = {
        "v": 1,
        "seq": 0,
        "ts": time.time(),
        "type": "error",
        "exit_code": int(exit_code),
        "message": "; ".join(remark.message for remark in remarks),
        "faults": [_remark_json(remark) for remark in remarks],
    }
    return json.dumps(event, ensure_ascii=False)


def _remark_json(remark: Remark) -> dict[str, object]:
    place = remark.place
    return {
        "code": remark.code or None,
        "name": remark.name or None,
        "message": remark.message,
        "file": place.file if place else None,
        "line": (place.line or None) if place else None,
        "help": remark.help,
        "related": [{"file": one.file, "line": one.line, "text": one.text} for one in remark.related],
    }


def _remark_lines(remark: Remark) -> list[Line]:
    first, *rest = remark.message.splitlines() or [""]
    head = f"error[{remark.code}]" if remark.code else "error:"
    lines = [line(bad(head), " ", strong(first)), *[line("  ", text) for text in rest]]
    if remark.place is not None:
        lines.append(line(dim("  --> "), str(remark.place), "   ", dim(remark.place.text)))
    lines += [line("      ", str(place), "   ", dim(place.text)) for place in remark.related]
    for index, text in enumerate(remark.help.splitlines()):
        lines.append(line(dim("  help: ") if index == 0 else "        ", text))
    return lines
