"""Errors of the floors below as complaints: what a fault of the user's file says, and what is a bug of ours."""

from __future__ import annotations

from actorflow.actors.errors import ActorflowError
from actorflow.cli.complaint import Complaint, Place, Remark, refusal
from actorflow.cli.exits import ExitCode
from actorflow.flows.faults import Fault, FlowFaults
from actorflow.flows.graph import Location
from actorflow.flows.places import shown_file, source_line
from actorflow.runs.store_errors import JournalDamaged, JournalFailed, StoreError

_ACCEPT_LOSS = "or give up what is lost and run it again: actorflow resume {} --accept-loss"
REPORT = "this is a bug in actorflow, not in your file: please report it with the lines above"


def complaint_about(error: Exception) -> Complaint:
    """What to tell about an exception that ended a command before or beside a run."""
    match error:
        case FlowFaults(faults=faults):
            return Complaint(*map(remark_of, faults))
        case JournalFailed(path=path, problem=problem, help=help):
            remark = Remark(message=f"{path}: {problem}", help=help)
            return Complaint(remark, exit_code=ExitCode.failed)
        case JournalDamaged(path=path, problem=problem, help=help, is_hopeless=False):
            return refusal(f"{path}: {problem}", f"{help}\n{_ACCEPT_LOSS.format(path.stem)}")
        case StoreError(path=path, problem=problem, help=help):
            return refusal(f"{path}: {problem}", help)
        case ActorflowError():
            return refusal(str(error))
        case _:
            remark = Remark(message=f"{type(error).__name__}: {error}", help=REPORT)
            return Complaint(remark, exit_code=ExitCode.internal)


def remark_of(fault: Fault) -> Remark:
    """A fault of the user's file, its places as seen from the current folder."""
    return Remark(
        message=fault.message,
        code=fault.code.value,
        name=fault.code.name,
        place=_place(fault.location, source_line(fault.location)) if fault.location else None,
        related=tuple(_place(one.location, one.text) for one in fault.related),
        help=fault.help,
    )


def _place(location: Location, text: str) -> Place:
    return Place(file=shown_file(location.file), line=location.line, text=text)
