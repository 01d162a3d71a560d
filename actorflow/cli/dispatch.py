"""From click to an exit code: each way a command can end, in words or, with --json, as one JSON line."""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence

import click

from actorflow.cli.complaint import Complaint, HelpAsked, Remark, complaint_json, complaint_lines
from actorflow.cli.exits import ExitCode, Terminated
from actorflow.cli.group import command_line
from actorflow.cli.spans import line
from actorflow.cli.streams import notes_to_stderr

_UNWRITTEN = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})
"""What a write says that cannot be done where stdout goes; a reader that went away is no failure."""


def dispatch(arguments: Sequence[str]) -> int:
    """Run one command. Returns its exit code; raises nothing."""
    as_json = wants_json(arguments)
    try:
        code = command_line.main(list(arguments), prog_name="actorflow", standalone_mode=False)
    except HelpAsked as asked:
        return _answer(asked.text, ExitCode.succeeded)
    except Complaint as complaint:
        return _refuse(complaint, as_json=as_json)
    except click.ClickException as error:
        return _refuse(Complaint(usage_remark(error)), as_json=as_json)
    except (click.Abort, KeyboardInterrupt) as error:
        return _interrupted(error)
    except OSError as error:
        return _unwritten(error) if _is_stdouts(error) else _refuse(_complaint(error), as_json=as_json)
    except Exception as error:  # noqa: BLE001 - the last resort: what nobody foresaw is a bug of ours
        return _refuse(_complaint(error), as_json=as_json)
    return code if isinstance(code, int) else ExitCode.succeeded


def wants_json(arguments: Sequence[str]) -> bool:
    """True if --json stands among our own arguments, those before `--`; asked before click could parse them."""
    ours = list(arguments)
    return "--json" in (ours[: ours.index("--")] if "--" in ours else ours)


def usage_remark(error: click.ClickException) -> Remark:
    """A usage error in our own form, with the help page that answers it."""
    context = getattr(error, "ctx", None)
    command = context.command_path if isinstance(context, click.Context) else "actorflow"
    hints: list[str] = []
    if isinstance(error, click.NoSuchOption):
        from difflib import get_close_matches

        near = get_close_matches(error.option_name, error.possibilities or [], 1)
        hints += [f"did you mean `{name}`?" for name in near]
        if command.endswith((" run", " plan", " validate")):
            hints.append("options of the dag's own stand after `--`: actorflow run FILE -- --name VALUE")
    message = error.message if isinstance(error, click.NoSuchOption) else error.format_message()
    hints.append(f"{command} --help")
    return Remark(message=_lower_first(message.strip().rstrip(".")), help="\n".join(hints))


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _refuse(complaint: Complaint, *, as_json: bool) -> int:
    if as_json:
        return _answer(complaint_json(complaint.remarks, complaint.exit_code), complaint.exit_code)
    notes_to_stderr().insist(complaint_lines(complaint.remarks))
    return complaint.exit_code


def _answer(text: str, code: int) -> int:
    try:
        sys.stdout.write(f"{text}\n")
    except BrokenPipeError:  # who would have read it is gone
        return code
    except OSError as error:
        return _unwritten(error)
    return code


def _is_stdouts(error: OSError) -> bool:
    """True if it was stdout that could not be written: what fails to open has a name, and the store tells its own."""
    return error.filename is None and error.errno in _UNWRITTEN


def _unwritten(error: OSError) -> int:
    """The answer reached nobody; said on stderr also with --json, since stdout takes nothing."""
    remark = Remark(
        message=f"the answer could not be written: {error.strerror}", help="look at where standard output goes"
    )
    notes_to_stderr().insist(complaint_lines((remark,)))
    return ExitCode.failed


def _interrupted(error: BaseException) -> int:
    """Before or after a run; a run itself answers signals by ending."""
    causes = (error, error.__cause__)  # click raises Abort from what interrupted it
    asked_to_end = any(isinstance(cause, Terminated) for cause in causes)
    code = ExitCode.terminated if asked_to_end else ExitCode.interrupted
    notes_to_stderr().insist([line("interrupted; nothing runs")])
    return code


def _complaint(error: Exception) -> Complaint:
    from actorflow.cli.faults import complaint_about

    complaint = complaint_about(error)
    if complaint.exit_code is ExitCode.internal:
        import traceback

        sys.stderr.write(traceback.format_exc())
    return complaint
