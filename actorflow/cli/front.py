"""The front page: what `actorflow` answers before anything else is imported."""

from __future__ import annotations

from collections.abc import Sequence

from actorflow.version import VERSION

# Each command, where its module is, and the line that stands for it; the group imports a module only to run it.
COMMANDS = {
    "run": "run a dag and print its result as JSON",
    "validate": "check a file and list all its faults; runs nothing",
    "graph": "draw a dag: text, mermaid, dot or json",
    "plan": "show what would run, where and with which parameters",
    "runs": "list the runs of a store, newest first",
    "show": "show one run: its tasks, attempts and failures",
    "events": "print the events of a run; -f follows it",
    "attach": "follow a run that goes on elsewhere, as if it were here; Ctrl-C leaves it alone",
    "wait": "wait until a run is over, and exit as it did",
    "store": "check a store, tell what it holds, remove old runs",
    "logs": "print what the tasks of a run printed; -f follows it",
    "timeline": "draw a run over time: waiting, running, the critical path",
    "cancel": "end a run that is going on; answers once nothing more of it can start",
    "pause": "let nothing more of a run start; what runs ends by itself",
    "resume": "let a run go on, after a pause, a failure or a crash",
    "replay": "run again with the parameters of a former run; --from takes results over",
    "actors": "show the actors of a run that is going on, live in a terminal",
    "doctor": "tell what this machine offers to runs",
}

EXAMPLES = (
    "actorflow run etl.py",
    "actorflow run etl.py -p day=2026-11-20 --workers 4",
    "actorflow run etl.py -- --help",
    "actorflow show @last",
)


def overview() -> str:
    """The text of `actorflow --help`."""
    width = max(len(name) for name in COMMANDS)
    commands = [f"  {name:<{width}}  {what}" for name, what in COMMANDS.items()]
    options = [
        "  --version   the version; with -v also Python's, and the loop that a run is on",
        "  --json      answer, errors too, as JSON on stdout; every command has it",
        "  -h, --help  this page; after a command, that command's",
    ]
    parts = [
        "Usage: actorflow COMMAND [OPTIONS] [ARGUMENTS]",
        "",
        "Durable pipelines from plain Python files.",
        "",
        "Commands:",
        *commands,
        "",
        "Options:",
        *options,
        "",
        "Examples:",
        *[f"  {example}" for example in EXAMPLES],
        "",
        "Exit codes: 0 succeeded, 1 the run failed, 2 nothing ran, 3 unreachable, 70 our bug, 130 and 143 interrupted.",
    ]
    return "\n".join(parts)


def answered_at_once(arguments: Sequence[str]) -> str | None:
    """The answer to what needs no command: the front page, the version. None for anything else."""
    match list(arguments):
        case ["--help" | "-h"]:
            return overview()
        case ["--version"]:
            return f"actorflow {VERSION}"
        case _:
            return None
